package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// disturbHandover ends some schedules of static members that give up one by one with a handover: while handlers are slow another process
// joins, a member that has something to give up is killed before it has, and comes back within its session. Nothing else happens
// after that: no rebalance tells anybody that a partition has no owner.
func (s *schedule) disturbHandover() {
	r := rand.New(rand.NewPCG(s.seed, 10))
	if !s.static || s.eager || r.IntN(6) > 0 {
		return
	}
	away := time.Duration(r.IntN(20_000)) * time.Millisecond
	s.faults = append(s.faults, fault{15 * time.Second, fmt.Sprintf("a handover: who gives something up is killed, and comes back after %v", away), func(w *world) {
		w.slowly.Store(true)
		for p := range w.partitions {
			w.shelf.write(int32(p), 6, 0)
		}
		w.join()
		var p *process
		for began := time.Now(); p == nil && time.Since(began) < 10*time.Second; p = w.ledger.givesUp() {
			time.Sleep(5 * time.Millisecond) // in the schedule's bubble
		}
		w.slowly.Store(false)
		if p == nil {
			return
		}
		w.leaves(p)
		p.kill()
		time.Sleep(away) // in the schedule's bubble
		w.add(p.instance)
	}})
}

// givesUp is a process that is to give a partition up, and whose handler is at it; nil: none.
func (l *ledger) givesUp() *process {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.partitions {
		for c := range l.partitions[n].running {
			if end, ends := l.ending[c.claim]; ends && time.Now().Before(end) && !c.who.gone && !c.who.gate.paused() {
				return c.who
			}
		}
	}
	return nil
}
