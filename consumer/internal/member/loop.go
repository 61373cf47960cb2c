package member

import (
	"log/slog"
	"time"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// glance is how often the clocks are compared while something is owned: a timer stands still while the machine is
// suspended, and the lease does not.
const glance = time.Second

// loop is the state of the goroutine around the machine.
type loop struct {
	machine *machine
	claims  *claims
	notices notices
	topics  topics
	met     bool // a broker has let us in
	leader  bool

	// Of the end; to be read after done is closed.
	left   bool  // the machine has ended by itself, not by a cut
	result error // what Leave returns
}

func newLoop(o Options, inbox supervisor.Inbox) loop {
	return loop{
		machine: newMachine(o.rules()), claims: newClaims(o.Group),
		notices: notices{tell: inbox.Notice}, topics: newTopics(o.Topics),
	}
}

// releasedClaims are claims that were given up.
type releasedClaims []messages.Claim

// run feeds the machine until it ends.
func (m *Member) run() {
	defer close(m.done)
	defer m.work.Wait()
	defer m.options.Coordinator.Become("", -1)
	defer m.options.Coordinator.Move("")
	defer m.cancel()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	look := time.NewTicker(m.options.MetadataInterval)
	defer look.Stop()
	for {
		var due <-chan time.Time
		if wait, ok := m.wait(); ok {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-m.queue.ready:
			for _, x := range m.queue.take() {
				if !m.feed(x) {
					return
				}
			}
		case <-due:
			if !m.feed(tick{}) {
				return
			}
		case <-look.C:
			m.look()
		}
	}
}

// wait is how long nothing needs to be done.
func (m *Member) wait() (d time.Duration, ok bool) {
	next := m.machine.next()
	if next.never() {
		return 0, false
	}
	d = max(m.clock.now().until(next), 0)
	if len(m.machine.owned) > 0 {
		d = min(d, glance)
	}
	return d, true
}

// feed gives the machine one event and does what it wants. False: it has ended.
func (m *Member) feed(x any) bool {
	ev := m.translate(x)
	if ev == nil {
		return true
	}
	now := m.clock.now()
	actions := m.machine.step(now, ev)
	m.wanted.Store(int64(m.machine.request))
	for _, a := range actions {
		if !m.do(now, a) {
			_, cut := ev.(cut)
			m.left = !cut
			return false
		}
	}
	return true
}

// translate makes an event of what the loop got; nil when it was for the loop alone.
func (m *Member) translate(x any) event {
	switch x := x.(type) {
	case releasedClaims:
		if tps := m.claims.released(x); len(tps) > 0 {
			return released{tps}
		}
		return nil
	case looked:
		return m.onLooked(x)
	case found:
		x.denied = x.err != nil && denied(x.err, m.met)
		m.met = m.met || x.err == nil
		return x
	case planned:
		if p, ok := x.plan.(*plan); ok {
			if x.seq == m.machine.request && m.machine.phase == planning { // else it was given up, and is not the group's
				m.topics.planned(p.topics, &m.notices)
			}
			x.plan, x.withheld = p.request, p.withheld
		}
		return x
	case event:
		return x
	default:
		return nil
	}
}

// do carries one action out. False: it was the last.
func (m *Member) do(now instant, a action) bool {
	switch a := a.(type) {
	case findCoordinator:
		m.find(a)
	case useCoordinator:
		m.options.Logger.Debug("coordinator", slog.String("addr", a.addr))
		m.options.Coordinator.Move(a.addr)
	case sendJoin:
		m.join(a)
	case makePlan:
		m.plan(a)
	case sendSync:
		m.sync(a)
	case sendHeartbeat:
		m.heartbeat(a)
	case sendLeave:
		m.leave(a)
	case identify:
		m.options.Coordinator.Become(a.member, a.generation)
	case member:
		m.options.Logger.Info("joined", slog.String("member", a.id), slog.Int("generation", int(a.generation)), slog.Bool("leader", m.leader))
		m.inbox.Joined(a.id, a.generation)
		m.assignedOf(m.machine.target)
	case watch:
		m.leader = a.on
		m.topics.lead(a.on)
	case assign:
		m.inbox.Assigned(m.claims.assign(a.tps, m.machine.memberID, m.machine.generation))
	case revoke:
		m.inbox.Revoked(m.claims.revoke(a.tps), time.Now().Add(now.until(a.by)))
	case lose:
		// Told before the machine takes another identity, which comes later among the actions: the committer, which
		// stands before the supervisor's inbox, fences the claims by then.
		m.options.Logger.Warn("lost partitions", slog.Int("partitions", len(a.tps)), slog.Any("error", a.err))
		m.inbox.Lost(m.claims.lose(a.tps), a.err)
	case notice:
		m.notices.coordinator = a.err
		if a.err != nil {
			m.notices.coordinator = unreachable(m.options.Group, a.err, m.met, m.options.TLS, len(m.machine.owned) > 0)
		}
		m.notices.update()
	case stalled:
		m.notices.assignment = nil
		if a.err != nil {
			m.notices.assignment = unassigned(m.options.Group, a.err)
		}
		m.notices.update()
	case fail:
		if m.result = a.err; !m.machine.stopping { // else Leave returns it
			m.inbox.Ended(a.err)
		}
		return false
	case end:
		return false
	}
	return true
}
