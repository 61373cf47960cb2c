package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// choose draws the conclusions from what was done last, and says what is to be done now. It needs the lock.
func (m *Mailbox) choose() job {
	if spare := m.ended(); spare != nil {
		return reporting(Report{Farewell: spare})
	}
	if m.settleDue() {
		if j := m.settle(); j.kind != nothing {
			return j
		}
	}
	if len(m.unsaid) > 0 {
		said := m.unsaid[0]
		m.unsaid = m.unsaid[1:]
		return reporting(said)
	}
	if m.unasked != nil {
		if j := m.ask(); j.kind != nothing {
			return j
		}
	}
	if m.system.len() > 0 {
		return m.chooseSystem()
	}
	switch {
	case m.stopped || !m.born:
		return job{}
	case m.leaveDue():
		return m.chooseFarewell()
	case m.suspended:
		return job{}
	case m.sourceDue():
		ended := m.source
		m.source = nil
		m.park(ended.text, messages.ClassSource)
		return reporting(Report{Source: ended.err, Offset: m.backlog.Next()})
	case m.greetDue():
		m.greet = false
		return job{kind: invokeLifecycle, message: &messages.Assigned{
			Claim: m.set.Claim, Incarnation: m.incarnation, Next: m.backlog.Next(),
		}}
	case m.control.len() > 0:
		return job{kind: invokeControl, message: m.control.pop()}
	}
	return m.chooseRecord()
}

// ended notes what has come of the job that was under way. It answers a fault that nobody will be asked about, because
// another one waits for that already.
func (m *Mailbox) ended() (spare error) {
	was := m.doing
	m.doing = nothing
	greeting := false
	switch was {
	case invokeRecord:
		m.attempt.end()
	case invokeLifecycle:
		_, greeting = m.handling.(*messages.Assigned)
		if greeting && m.broken == nil {
			m.greeted, m.ungreeted = true, false
		}
	}
	if m.broken == nil {
		return nil
	}
	f, about := &Fault{Err: m.broken.err, Class: m.broken.class, Greet: greeting, Birth: was == invokeSystem && m.bearing(), text: m.broken.text}, m.handling
	if was == invokeRecord {
		about = m.attempt.record
	}
	m.broken = nil
	if greeting {
		m.greet, m.ungreeted = true, true
	}
	if m.unasked != nil {
		return f.Err
	}
	m.unasked, m.about = f, about
	return nil
}

// bearing: the system message under way hands over Started. A restart does so at its end, which may be that of the old
// incarnation's last child.
func (m *Mailbox) bearing() bool {
	switch m.handling.(type) {
	case *actor.Started, *actor.Restart:
		return true
	case *actor.Terminated:
		return m.suspended
	}
	return false
}

// ask brings a fault that is no record's to the supervisor. A claim that is being given up needs no decision about
// it: there is nothing left that could be tried again.
func (m *Mailbox) ask() job {
	f, about := m.unasked, m.about
	ending := m.stopped || m.backlog.Stopping()
	if !ending && m.questioned() {
		return job{}
	}
	m.unasked, m.about = nil, nil
	if ending {
		return reporting(Report{Farewell: f.Err})
	}
	m.fault = f
	return escalation(f, about)
}

// questioned: the supervisor was asked about a fault and has not let the actor go on, or a restart is under way.
// Another fault waits until that is over. There is one verdict and one Resume for each question: a verdict, or a
// Resume without one, must never meet another fault than it was meant for.
func (m *Mailbox) questioned() bool { return m.suspended || m.fault != nil }

func (m *Mailbox) chooseSystem() job {
	message := m.system.pop()
	switch message.(type) {
	case *actor.Started:
		m.born = true
	case *actor.SuspendMailbox:
		m.suspended = true
		return job{kind: again}
	case restarted:
		m.suspended = m.restarting // it may be an older restart's
		return job{kind: again}
	case *actor.ResumeMailbox:
		if m.restarting { // it is for the old incarnation
			return job{kind: again}
		}
		m.suspended = false
		if f := m.fault; f != nil { // nobody left a verdict: a plain resume gives the head up
			m.fault = nil
			if m.passOver(f, &m.counters.Skipped) {
				return reporting(Report{GivenUp: f.Record})
			}
		}
		return job{kind: again}
	case *actor.Restart:
		switch {
		case m.stopped: // protoactor would resurrect the actor
			return job{kind: again}
		case m.backlog.Stopping(): // no record would come to a fresh incarnation, and it would not be told of the end
			m.suspended, m.fault = false, nil
			return job{kind: again}
		}
		j := job{kind: invokeSystem, message: message}
		if f := m.unasked; f != nil { // a second fault of the incarnation that goes: nothing is left to decide
			j.rare = &rare{report: &Report{Farewell: f.Err}}
		}
		m.reincarnate()
		// Until its children have ended, the old incarnation would get messages: protoactor resumes when the new one is there.
		m.suspended, m.restarting = true, true
		return j
	case *actor.Stop:
		if m.stopped {
			return job{kind: again}
		}
		m.note(true)
		m.stopped = true
		if !m.backlog.Stopping() { // it stops itself, or was stopped from outside; when there is another one, the policy says
			m.concede()
		}
	}
	return job{kind: invokeSystem, message: message}
}

func (m *Mailbox) chooseFarewell() job {
	said := m.farewell
	m.farewell = nil // leaveDue is false from now on while a kept record can still be completed
	// A hook is called once per claim, not per incarnation: the fresh one need not have been greeted.
	greeted := m.greeted || m.hooked && m.set.Handler != nil
	if said != nil && greeted && !m.abandoned {
		return job{kind: invokeLifecycle, message: said}
	}
	m.note(true)
	m.stopped = true
	return job{kind: invokeSystem, message: &actor.Stop{}}
}

func (m *Mailbox) chooseRecord() job {
	if _, pins := m.backlog.Pins(); pins {
		return job{kind: copyHead}
	}
	if !m.mayDeliver() {
		return job{}
	}
	if _, ok := m.backlog.Peek(); !ok {
		return job{}
	}
	var now time.Time
	if m.pacer.interval > 0 { // no clock is read for a record without need
		now = time.Now()
		if m.paced(now) {
			return job{}
		}
	}
	openings := m.set.Breaker.Openings() // first: an opening between the two must not count as known
	passes, probe := m.set.Breaker.admit(m)
	if !passes {
		return job{}
	}
	m.pacer.take(now)
	t, _ := m.backlog.Take()
	r := t.Record()
	r.Fence = m.fence
	m.attempt.record, m.attempt.probe, m.attempt.openings = r, probe, openings // the rest of it was cleared
	m.bind(r)
	m.delivered++
	return job{kind: invokeRecord, message: r}
}
