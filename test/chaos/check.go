package main

import (
	"fmt"
	"slices"
	"time"
)

// bounds are what the checker takes for granted, on a machine that is never late.
type bounds struct {
	session time.Duration // of the workers
	// lag is what a finished record may wait for its commit to be acknowledged while nothing is wrong: the interval of
	// 20 ms and a round trip, on a machine where three brokers and six workers share two cores.
	lag time.Duration
	// margin is by how much a line may be read later than it was written.
	margin time.Duration
	// grace is for how long after a fault's end things may still be on their way back: connections, leaders.
	grace time.Duration
}

// kinds of breaches. The run is good if there are none.
const (
	isLost       = "lost"         // never done
	isDisordered = "out_of_order" // done before one in front of it; again, or with a gap, within one claim
	isUnexplaind = "unexplained"  // done again, and nothing excuses that its commit was not acknowledged; a claim lost in peace
	isShared     = "two_owners"   // done by an old owner while a newer one had begun
	isAhead      = "ahead"        // committed, and not done
	isBack       = "went_back"    // a committed offset decreased
	isRepeated   = "redelivered"  // done again, though it was known to be committed before the claim began
	isOpen       = "uncommitted"  // at the end, something was not committed
	isOdd        = "odd"          // all else
)

// breach is one promise that was not kept.
type breach struct {
	kind      string
	partition int32 // -1: of none
	at        time.Time
	workers   []int // whose lines tell more
	text      string
}

// verdict is what the checker found.
type verdict struct {
	produced, done, duplicates, claims, losses int
	causes                                     map[string]int // of the duplicates
	longest                                    time.Duration  // from a record's end to its claim's, of the duplicates that a kill explains
	late                                       time.Duration  // the latest line of an old owner after its SIGCONT, a newer one having begun
	still                                      time.Duration  // the longest time in which nothing was done on a partition
	breaches                                   []breach
}

func (v *verdict) count(kind string) (n int) {
	for _, b := range v.breaches {
		if b.kind == kind {
			n++
		}
	}
	return n
}

// check holds a history against the promises. It is a pure function.
func check(h *history, b bounds) *verdict {
	c := &checker{history: h, bounds: b, verdict: &verdict{causes: map[string]int{}}, excuses: newExcuses(h, b)}
	claims := c.claims()
	c.exits()
	c.wasKept()
	partitions := make([]int32, 0, len(h.log))
	for p := range h.log {
		partitions = append(partitions, p)
	}
	slices.Sort(partitions)
	for _, p := range partitions {
		c.partition(p, claims[p])
		c.sighted(p, claims[p])
	}
	c.over(partitions)
	c.standstill()
	slices.SortStableFunc(c.breaches, func(a, b breach) int { return a.at.Compare(b.at) })
	return c.verdict
}

type checker struct {
	*history
	bounds
	*verdict

	excuses *excuses
	front   map[int32][]time.Time // see partition
}

func (c *checker) breachf(kind string, partition int32, at time.Time, workers []int, format string, args ...any) {
	c.breaches = append(c.breaches, breach{kind, partition, at, workers, fmt.Sprintf(format, args...)})
}

// partition checks one partition's records and the claims to it, in the order in which they began.
func (c *checker) partition(p int32, claims []*claim) {
	log := c.log[p]
	c.produced += len(log)
	if len(log) == 0 {
		return
	}
	base, end := log[0].offset, log[len(log)-1].offset+1
	earliest := make([]time.Time, end-base)
	for _, cl := range claims {
		c.inOrder(cl)
		for _, l := range cl.done {
			i := l.offset - base
			if i < 0 || l.offset >= end || log[i].offset != l.offset || log[i].key != l.key {
				c.breachf(isOdd, p, l.read, []int{cl.worker}, "worker %d has done offset %d with key %s: there is no such record in the topic", cl.worker, l.offset, l.key)
				continue
			}
			if t := earliest[i]; t.IsZero() || l.read.Before(t) {
				earliest[i] = l.read
			}
		}
	}
	for i, t := range earliest {
		if t.IsZero() {
			c.breachf(isLost, p, time.Time{}, nil, "offset %d (key %s) was never done", log[i].offset, log[i].key)
			continue
		}
		c.done++
	}

	// front[i] is when the first i records were all done.
	front := make([]time.Time, len(earliest)+1)
	for i, t := range earliest {
		front[i+1] = later(front[i], t)
	}
	if c.front == nil {
		c.front = map[int32][]time.Time{}
	}
	c.front[p] = front
	for _, cl := range claims {
		for _, l := range cl.done {
			if i := l.offset - base; i > 0 && i < int64(len(front)) && front[i].After(l.read.Add(c.margin)) {
				c.breachf(isDisordered, p, l.read, []int{cl.worker}, "worker %d has done offset %d, and one in front of it was done for the first time only at %s", cl.worker, l.offset, clock(front[i]))
				break // the same gap is in front of all that follow
			}
		}
	}
	c.again(p, claims, base, end)
	c.shared(p, claims)
}

// inOrder: within one claim each record is done once, and none is left out.
func (c *checker) inOrder(cl *claim) {
	for i := 1; i < len(cl.done); i++ {
		if was, is := cl.done[i-1].offset, cl.done[i].offset; is != was+1 {
			c.breachf(isDisordered, cl.partition, cl.done[i].read, []int{cl.worker}, "worker %d has done offset %d right after %d in the same claim", cl.worker, is, was)
		}
	}
}

// again counts what was done once more by a newer claim, and wants an excuse of the older one.
func (c *checker) again(p int32, claims []*claim, base, end int64) {
	newer := make([]*claim, end-base) // which has done it
	for _, cl := range slices.Backward(claims) {
		for _, l := range cl.done {
			i := l.offset - base
			if i < 0 || i >= int64(len(newer)) {
				continue
			}
			if newer[i] == nil || newer[i] == cl { // within one claim it is another fault
				newer[i] = cl
				continue
			}
			c.duplicates++
			cause, why := c.excuses.of(cl, l.read)
			if cause == "" {
				c.breachf(isUnexplaind, p, l.read, []int{cl.worker}, "worker %d has done offset %d, and a newer claim did it again: %s", cl.worker, l.offset, why)
				continue
			}
			c.causes[cause]++
			if cl.how == "killed" {
				c.longest = max(c.longest, cl.end.Sub(l.read))
			}
		}
	}
}

// shared: nobody goes on once a newer claim has begun, but who was stopped, and did not know.
func (c *checker) shared(p int32, claims []*claim) {
	for i, older := range claims {
		if len(older.done) == 0 {
			continue
		}
		last := older.done[len(older.done)-1].read
		for _, newer := range claims[i+1:] {
			if newer.worker == older.worker || !newer.begin.Add(c.margin).Before(last) {
				continue
			}
			for _, l := range older.done {
				if !newer.begin.Add(c.margin).Before(l.read) {
					continue
				}
				after, stopped := c.excuses.sinceContinued(older.worker, l.read)
				if !stopped || after > c.margin {
					c.breachf(isShared, p, l.read, []int{older.worker, newer.worker}, "worker %d has done offset %d, and worker %d owns the partition since %s", older.worker, l.offset, newer.worker, clock(newer.begin))
					break
				}
				c.late = max(c.late, after)
			}
			break // the claims after that one are no newer owners to this one than it is
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.IsZero() || a.After(b) {
		return a
	}
	return b
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
