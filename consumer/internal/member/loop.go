package member

import (
	"slices"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// loop is the member's one goroutine that steps the machine. Requests run in goroutines of their own, which it owns.
func (m *Member) loop() {
	defer m.finish()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	look := time.NewTicker(m.options.MetadataInterval)
	defer look.Stop()
	if !m.step(start{}) {
		return
	}
	for {
		if at := m.machine.next(); at.never() {
			timer.Stop()
		} else {
			timer.Reset(max(0, m.clock.now().until(at)))
		}
		select {
		case <-m.wake:
			for _, e := range m.pending() {
				if !m.step(e) {
					return
				}
			}
		case <-timer.C:
			if !m.step(tick{}) {
				return
			}
		case <-look.C: // a tick as well: timers stand still while a machine is suspended, the wall clock does not
			m.lookAgain()
			if !m.step(tick{}) {
				return
			}
		}
	}
}

// finish is the end of the loop: nobody can be told anything any more.
func (m *Member) finish() {
	m.mu.Lock()
	if m.over && m.err == nil && m.machine.phase != ended {
		m.err = errClosed
	}
	m.over = true
	m.queue = nil
	m.mu.Unlock()
	m.cancel()
	m.options.Coordinator.Move("")
	close(m.done)
}

// step lets the machine take one event and does what it wants. It reports false when the membership is over.
func (m *Member) step(e event) bool {
	now := m.clock.now()
	for _, a := range m.machine.step(now, e) {
		if !m.do(now, a) {
			return false
		}
	}
	return true
}

func (m *Member) do(now instant, a action) bool {
	in := m.options.Inbox
	switch a := a.(type) {
	case findCoordinator:
		m.wg.Go(func() { m.findCoordinator(a) })
	case useCoordinator:
		m.options.Coordinator.Move(a.addr)
	case sendJoin:
		m.wg.Go(func() { m.sendJoin(a) })
	case makePlan:
		m.wg.Go(func() { m.makePlan(a) })
	case sendSync:
		m.wg.Go(func() { m.sendSync(a) })
	case sendHeartbeat:
		m.wg.Go(func() { m.sendHeartbeat(a) })
	case sendLeave:
		m.wg.Go(func() { m.sendLeave(a) })
	case identify:
		m.options.Coordinator.Become(a.member, a.generation)
	case member:
		in.Joined(a.id, a.generation)
	case assign:
		in.Assigned(m.claim(a.tps))
	case revoke:
		in.Revoked(m.owned(a.tps), time.Now().Add(now.until(a.by)))
	case lose:
		in.Lost(m.owned(a.tps), a.err)
	case watch:
		if !a.on {
			m.watching.Store(nil)
		}
	case notice:
		m.notices.coordinator(a.err)
	case fail:
		m.err = a.err
		in.Ended(a.err)
		return false
	case end:
		return false
	}
	return true
}

// claim begins the ownership of partitions.
func (m *Member) claim(tps []tp) []messages.Claim {
	id := m.options.Coordinator.Identity()
	claims := make([]messages.Claim, 0, len(tps))
	for _, p := range tps {
		c := messages.Claim{
			Group: m.options.Group, Member: id.Member, Topic: p.topic, Partition: p.partition,
			Generation: id.Generation, Sequence: sequences.Add(1),
		}
		m.claims[p] = c
		claims = append(claims, c)
	}
	return claims
}

// owned are the claims of partitions.
func (m *Member) owned(tps []tp) []messages.Claim {
	claims := make([]messages.Claim, 0, len(tps))
	for _, p := range tps {
		if c, ok := m.claims[p]; ok {
			claims = append(claims, c)
		}
	}
	return slices.Clip(claims)
}
