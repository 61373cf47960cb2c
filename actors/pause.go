package actors

import "time"

// Pause is who has paused a partition, and when. The zero Pause is none.
type Pause struct {
	By    string
	Since time.Time
}

// Pause holds records back until Resume, beside whatever else does. What is in flight finishes, and is committed; messages
// arrive, and a revocation does. It answers false where the partition is paused already: that pause stays.
func (m *Mailbox) Pause(p Pause) bool {
	m.mu.Lock()
	was := m.backlog.Paused()
	if !was {
		m.pause = p
		m.backlog.Pause()
		m.set.Breaker.yield(m)
		m.parkBegins()
	}
	m.kick()
	return !was
}

// Resume ends the pause, and answers whether there was one. A hold or a park under it stays.
func (m *Mailbox) Resume() bool {
	m.mu.Lock()
	was := m.backlog.Paused()
	if was {
		m.pause = Pause{}
		m.backlog.Resume()
		m.standsNoMore()
		m.wake = true
	}
	m.kick()
	return was
}
