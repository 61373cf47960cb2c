package simulation

import (
	"slices"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// restart ends a static member and starts its successor within the session. If the group is at rest, and nothing disturbs
// it meanwhile, then the successor has the partitions of before, and nobody else has noticed.
func (w *world) restart(p *process, kill bool, away time.Duration) {
	rested := w.rest(p)
	leads := w.leads(p)
	before, others := w.ledger.owned(p), w.ledger.ended(p)
	w.leaves(p)
	if kill {
		p.kill()
	} else {
		p.tell(&messages.Stop{})
	}
	time.Sleep(away)                             // in the schedule's bubble
	if _, ended := p.await(0); !kill && !ended { // a handler is slow
		rested = false
	}
	next := w.add(p.instance)
	if !rested {
		return
	}
	if leads && w.eager { // it joins once more, because the group takes its former self for the leader
		return
	}
	time.Sleep(5 * time.Second) // in the schedule's bubble
	after := w.ledger.owned(next)
	if !slices.Equal(before, after) {
		w.ledger.violate("%s had %v, and its successor %s has %v", p.name, before, next.name, after)
	}
	if n := w.ledger.ended(p); n > others {
		w.ledger.violate("%s was restarted within its session, and %d claims of others ended", p.name, n-others)
	}
	w.ledger.counted(func(c *counts) { c.restarts++ })
}

// rest waits until nothing disturbs the group; false: that takes too long.
func (w *world) rest(p *process) bool {
	quiet := 0
	for range 60 {
		time.Sleep(time.Second) // in the schedule's bubble
		if w.disturbed.Load() > 0 || !w.cluster.Settled(len(w.living())) || !w.ledger.kept() || !w.store.calm() {
			quiet = 0
		} else if quiet++; quiet > 10 {
			return slices.Contains(w.living(), p) && w.ledger.belongs(p)
		}
	}
	return false
}

// belongs: the process was told that it is a member. Of one that was not, the join may be still on its way.
func (l *ledger) belongs(p *process) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, who := range l.processes {
		if who == p {
			return true
		}
	}
	return false
}

// leads: the group takes it for its leader.
func (w *world) leads(p *process) bool {
	leader := w.cluster.Leader()
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	return w.ledger.processes[leader] == p
}

// owned are the partitions whose newest claim is a process's.
func (l *ledger) owned(who *process) (all []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.partitions {
		if l.partitions[p].owner == who {
			all = append(all, p)
		}
	}
	return all
}

// kept: every partition has an owner that has not lost it and is not about to give it up.
func (l *ledger) kept() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.ContainsFunc(l.partitions, func(a account) bool { return a.owner == nil || a.owner.gone || !l.ending[a.claim].IsZero() })
}

// ended is how many claims of others have ended.
func (l *ledger) ended(who *process) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, m := range l.ends {
		if p != who {
			n += m
		}
	}
	return n
}
