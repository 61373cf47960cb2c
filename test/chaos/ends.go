package main

import "time"

// exits: a worker ends when it is told to, and in order, unless something was done to it or to the brokers meanwhile.
func (c *checker) exits() {
	for _, w := range c.workers {
		switch {
		case w.how == byItself:
			c.breachf(isOdd, -1, w.end, []int{w.id}, "worker %d has ended by itself: %s", w.id, w.err)
		case w.how == drained && w.err != "" && !c.excuses.during(w.id, w.told, w.end):
			c.breachf(isOdd, -1, w.end, []int{w.id}, "worker %d was told to drain, nothing was in its way, and it ended with %s", w.id, w.err)
		}
	}
}

// wasKept: the topic has what was acknowledged. It is Kafka's promise, without which the others are not to be judged.
func (c *checker) wasKept() {
	at := map[int32]map[int64]string{}
	for p, log := range c.log {
		at[p] = make(map[int64]string, len(log))
		for i, e := range log {
			at[p][e.offset] = e.key
			if i > 0 && log[i-1].offset+1 != e.offset {
				c.breachf(isOdd, p, time.Time{}, nil, "the topic has offset %d right after %d: the checker counts by one", e.offset, log[i-1].offset)
			}
		}
	}
	for _, a := range c.acked {
		if at[a.partition][a.offset] != a.key {
			c.breachf(isOdd, a.partition, time.Time{}, nil, "the brokers have acknowledged key %s at offset %d, and there is %q", a.key, a.offset, at[a.partition][a.offset])
		}
	}
}

// sighted holds the committed offsets that were seen against what was done, and against where claims began.
func (c *checker) sighted(p int32, claims []*claim) {
	log, front := c.log[p], c.front[p]
	if len(log) == 0 {
		return
	}
	base := log[0].offset
	var seen []sight // each higher than all before it
	var last sight
	for _, s := range c.sights {
		if s.partition != p {
			continue
		}
		if i := s.next - base; i > 0 && (i >= int64(len(front)) || front[i].After(s.at.Add(c.margin))) {
			c.breachf(isAhead, p, s.at, nil, "%d was committed, and not all in front of it was done", s.next)
		}
		if s.next < last.next && !c.excuses.brokers(last.at, s.at) { // one that comes back from a stop tells old tales
			c.breachf(isBack, p, s.at, nil, "the committed offset went back from %d to %d", last.next, s.next)
		}
		last = s
		if len(seen) == 0 || s.next > seen[len(seen)-1].next {
			seen = append(seen, s)
		}
	}
	for _, cl := range claims {
		if len(cl.done) == 0 {
			continue
		}
		for _, s := range seen {
			if first := cl.done[0]; s.at.Before(cl.begin) && s.next > first.offset {
				c.breachf(isRepeated, p, first.read, []int{cl.worker}, "worker %d begins with offset %d at %s, and %d was committed at %s", cl.worker, first.offset, clock(cl.begin), s.next, clock(s.at))
				break
			}
		}
	}
}

// standstill is a figure, no breach: with the brokers away, or everything killed, nothing can be done.
func (c *checker) standstill() {
	last := map[int32]time.Time{}
	for _, l := range c.lines {
		if l.what != done {
			continue
		}
		if was, ok := last[l.partition]; ok {
			c.still = max(c.still, l.read.Sub(was))
		}
		last[l.partition] = l.read
	}
}

// over: at the end all is committed.
func (c *checker) over(partitions []int32) {
	for _, p := range partitions {
		if log := c.log[p]; len(log) > 0 && c.ends[p] != log[len(log)-1].offset+1 {
			c.breachf(isOdd, p, time.Time{}, nil, "the partition ends at %d, and its last record is %d", c.ends[p], log[len(log)-1].offset)
		}
		if c.committed[p] != c.ends[p] {
			c.breachf(isOpen, p, time.Time{}, nil, "%d is committed, and the partition ends at %d", c.committed[p], c.ends[p])
		}
	}
}
