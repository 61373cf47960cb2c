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
	mu   sync.Mutex
	rows map[string]row // by the consumer's PID
}

// row is one of failures. A restart for another one's failure neither ends it nor is one of it: of two consumers that a parent
// restarts together and that fail in turn, each finds the other alive, and both would join at once for ever.
type row struct {
	failed int
	last   time.Time
}

// settled is the time without a failure after which the next one is the first again.
const settled = 10 * time.Minute

// failure notes that an incarnation has failed.
func (l *lineage) failure(who *actor.PID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, now := l.rows[who.String()], time.Now()
	if now.Sub(r.last) >= settled {
		r.failed = 0
	}
	l.rows[who.String()] = row{r.failed + 1, now}
}

// over forgets a consumer that has ended.
func (l *lineage) over(who *actor.PID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.rows, who.String())
}

// pause is how long an incarnation that begins now waits before it joins: until 1, 2, 4 … s after the last failure, a minute at
// most. Each join makes the whole group rebalance, and a record that is escalated each time would have it do nothing else. It
// is 0 when that is over: after a restart for another one's failure.
func (l *lineage) pause(who *actor.PID) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rows[who.String()]
	if r.failed == 0 {
		return 0
	}
	return max(0, time.Until(r.last.Add(min(time.Second<<min(r.failed-1, 10), time.Minute))))
}

// join begins the membership; soon after a failure of an incarnation before this one, it waits first.
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
