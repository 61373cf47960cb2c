package supervisor

import (
	"log/slog"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// lineage is what the incarnations of a consumer know of those before them: how often in a row they have failed. Props have
// one; it is for all that are spawned of them.
type lineage struct {
	mu     sync.Mutex
	failed map[string]int // by the consumer's PID
}

// settled is the life of an incarnation after which its failure is the first again.
const settled = 10 * time.Minute

// failure notes that an incarnation has failed, which began then.
func (l *lineage) failure(who *actor.PID, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(began) >= settled {
		delete(l.failed, who.String())
	}
	l.failed[who.String()]++
}

// over forgets a consumer that has ended, or was restarted for no failure of its own.
func (l *lineage) over(who *actor.PID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.failed, who.String())
}

// pause is how long the next incarnation waits before it joins: 0 after no failure, then 1, 2, 4 … s, a minute at most.
// Each join makes the whole group rebalance, and a record that is escalated each time would have it do nothing else.
func (l *lineage) pause(who *actor.PID) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.failed[who.String()]
	if n == 0 {
		return 0
	}
	return min(time.Second<<min(n-1, 10), time.Minute)
}

// join begins the membership; after a failure of the incarnation before this one, it waits first.
func (s *supervisor) join() {
	pause := s.kin.pause(s.self)
	if pause == 0 {
		s.link.Membership.Start()
		return
	}
	s.log.Warn("the consumer has failed, and joins again later", slog.Duration("in", pause))
	s.after(&s.rejoin, pause, func() {
		if s.phase == running {
			s.link.Membership.Start()
		}
	})
}
