package main

import (
	"cmp"
	"slices"
	"time"
)

// claim is one worker's ownership of one partition.
type claim struct {
	worker     int
	partition  int32
	begin, end time.Time
	how        string // revoked, lost, killed, unknown
	done       []line
}

// claims takes the lines apart: which were written under which claim. By partition, in the order of their begin.
func (c *checker) claims() map[int32][]*claim {
	open := map[[2]int64]*claim{} // by worker and partition
	all := map[int32][]*claim{}
	for _, l := range c.lines {
		key := [2]int64{int64(l.worker), int64(l.partition)}
		now := open[key]
		switch {
		case l.what == assigned:
			if now != nil {
				c.breachf(isOdd, l.partition, l.read, []int{l.worker}, "worker %d is assigned the partition anew, and was not told that the last claim had ended", l.worker)
				now.end, now.how = l.at, "unknown"
			}
			now = &claim{worker: l.worker, partition: l.partition, begin: l.at}
			open[key] = now
			all[l.partition] = append(all[l.partition], now)
			c.verdict.claims++
		case now == nil:
			c.breachf(isOdd, l.partition, l.read, []int{l.worker}, "worker %d says %v, offset %d, and has no claim", l.worker, l.what, l.offset)
		case l.what == done:
			now.done = append(now.done, l)
		default:
			now.end, now.how = l.at, l.what.String()
			delete(open, key)
			if l.what == lost {
				c.losses++
				if !c.excuses.lost(now) {
					c.breachf(isUnexplaind, l.partition, l.at, []int{l.worker}, "worker %d has lost the partition, and nothing was done to it or to the brokers", l.worker)
				}
			}
		}
	}
	ends := map[int]worker{}
	for _, w := range c.workers {
		ends[w.id] = w
	}
	for _, cl := range open {
		w := ends[cl.worker]
		cl.end, cl.how = w.end, "killed"
		if w.how != killed {
			cl.how = "unknown"
			c.breachf(isOdd, cl.partition, w.end, []int{w.id}, "worker %d has ended, and was not told that its claim had", w.id)
		}
	}
	for _, list := range all {
		slices.SortStableFunc(list, func(a, b *claim) int {
			return cmp.Or(a.begin.Compare(b.begin), cmp.Compare(a.worker, b.worker))
		})
	}
	return all
}
