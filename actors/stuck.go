package actors

import (
	"time"
)

// Stuck is what a partition has been at for longer than StuckAfter.
type Stuck struct {
	Offset  int64 // of the record; -1: the actor is at a message of its own, in a hook, or in its first moments
	Attempt int
	Kept    bool // Receive has returned, and nobody has completed the record: no goroutine of ours is at it
	Since   time.Time
}

// Stuck answers what the partition is stuck at, if it is. It knows when somebody has first looked, not when it began: ask
// now and then.
func (m *Mailbox) Stuck() (s Stuck, ok bool) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.backlog.Stopping() || !m.isStuck(now) {
		return Stuck{}, false
	}
	s = Stuck{Offset: -1, Since: m.lookedAt}
	if r := m.attempt.record; r != nil && !m.attempt.waits() {
		s.Offset, s.Attempt, s.Kept = r.Offset, r.Attempt, m.attempt.returned
	}
	return s, true
}

func (m *Mailbox) isStuck(now time.Time) bool {
	since, open := m.look(now)
	return open && m.set.StuckAfter > 0 && now.Sub(since) >= m.set.StuckAfter
}

// undertaking is what user code is at: an attempt, or another job, by its number.
type undertaking struct{ attempt, job uint64 }

// look answers since when somebody has seen what user code is at now, and whether it is at anything. A clock reading for
// each record would cost as much as the mailbox itself.
func (m *Mailbox) look(now time.Time) (since time.Time, open bool) {
	var at undertaking
	switch {
	case m.attempt.record != nil && !m.attempt.waits():
		at.attempt = m.delivered
	case m.doing == invokeSystem || m.doing == invokeLifecycle || m.doing == invokeControl:
		at.job = m.jobs
	default:
		return time.Time{}, false
	}
	if m.looked != at {
		m.looked, m.lookedAt = at, now
	}
	return m.lookedAt, true
}
