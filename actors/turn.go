package actors

import (
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// job is one thing that the mailbox does without its lock. It is small, because there is one for each record.
type job struct {
	kind    jobKind
	wake    bool
	relieve bool
	message any // what is invoked, or the message that failed
	invoker actor.MessageInvoker
	rare    *rare
}

// rare is what few jobs have.
type rare struct {
	reason error  // escalateFault
	offset int64  // seekSource
	seek   uint64 // seekSource
	report *Report
}

func escalation(reason error, message any) job {
	return job{kind: escalateFault, message: message, rare: &rare{reason: reason}}
}

func reporting(r Report) job { return job{kind: again, rare: &rare{report: &r}} }

type jobKind uint8

const (
	nothing jobKind = iota
	invokeSystem
	invokeLifecycle
	invokeControl
	invokeRecord
	escalateFault
	seekSource
	again // only the side effects
)

// run is what protoactor's dispatcher runs in a goroutine: until there is nothing to do.
func (m *Mailbox) run() {
	for m.turn() {
	}
}

// turn works until there is nothing to do. It answers true when it must be entered again: user code panicked.
func (m *Mailbox) turn() (enter bool) {
	returned := false
	defer func() {
		if !returned {
			enter = m.recovered(recover())
		}
	}()
	for {
		m.mu.Lock()
		j := m.next()
		m.begin(&j)
		m.mu.Unlock()
		m.sideEffects(&j)
		switch j.kind {
		case nothing:
			returned = true
			return false
		case invokeSystem:
			j.invoker.InvokeSystemMessage(j.message)
		case invokeLifecycle, invokeControl, invokeRecord:
			j.invoker.InvokeUserMessage(j.message)
		case escalateFault:
			j.invoker.EscalateFailure(j.rare.reason, j.message)
		case seekSource:
			m.set.Seek(j.rare.offset, j.rare.seek)
		case again:
		}
	}
}

// begin notes what the goroutine is at, for the case that it does not come back. A record is m.attempt's: noting
// it here once more would cost a pointer write for each.
func (m *Mailbox) begin(j *job) {
	m.doing = j.kind
	if j.kind != invokeRecord && (j.message != nil || m.handling != nil) {
		m.handling = j.message
	}
}

func (m *Mailbox) sideEffects(j *job) {
	if j.wake {
		m.set.Wake()
	}
	if j.relieve {
		m.set.Budget.relieve()
	}
	if j.rare != nil && j.rare.report != nil {
		m.set.Tell(*j.rare.report)
	}
}

// recovered deals with a panic, or a Goexit (r is nil), of user code. It answers whether this goroutine goes on.
func (m *Mailbox) recovered(r any) bool {
	exits := r == nil // runtime.Goexit: this goroutine is ending, whatever we do
	if exits {
		r = messages.Goexit
	}
	err := &messages.PanicError{Value: r, Stack: debug.Stack()}
	m.mu.Lock()
	j := m.crashed(err)
	m.begin(&j)
	m.mu.Unlock()
	m.sideEffects(&j)
	if j.kind == escalateFault {
		j.invoker.EscalateFailure(j.rare.reason, j.message)
	}
	if exits {
		m.dispatcher.Schedule(m.run) // still scheduled: nobody else runs it
		return false
	}
	return true
}

// crashed turns a panic into the job that follows from where it happened.
func (m *Mailbox) crashed(err *messages.PanicError) job {
	message := m.handling
	switch m.doing {
	case invokeRecord:
		message = m.attempt.record
		if m.attempt.record != nil && !m.answeredBefore() {
			m.attempt.returned, m.attempt.answered = true, true
			m.attempt.outcome = err
			j := m.settle()
			j.invoker = m.invoker
			return j
		}
		m.attempt.returned = true
	case invokeLifecycle:
		if m.backlog.Stopping() {
			return reporting(Report{Farewell: err})
		}
	case escalateFault, seekSource:
		return reporting(Report{Farewell: err})
	}
	// A control message, Started, Assigned, a reply, or a record that was answered before the panic: the actor is
	// suspect, no record is.
	greet := m.doing == invokeLifecycle
	m.greet = m.greet || greet
	m.fault = &Fault{Err: err, Class: messages.ClassPanic, Greet: greet}
	j := escalation(err, message)
	j.invoker = m.invoker
	return j
}

// answeredBefore: a completion that came before the panic stands.
func (m *Mailbox) answeredBefore() bool { return m.attempt.answered && m.attempt.outcome == nil }

// next settles what has ended and chooses what to do now. It needs the lock.
func (m *Mailbox) next() job {
	j := m.choose()
	j.invoker = m.invoker
	if m.wake {
		m.wake, j.wake = false, true
	}
	if d := m.backlog.Bytes() - m.accounted; d > accountingStep || d < -accountingStep || (d != 0 && j.kind == nothing) {
		m.account()
	}
	j.relieve = m.set.Budget.waiting.Load()
	if j.kind == nothing {
		m.scheduled = false
		m.note(true)
	}
	return j
}

// accountingStep spares the shared counter an update for each record.
const accountingStep = 32 << 10

func (m *Mailbox) account() {
	if !m.left {
		m.set.Budget.add(m.backlog.Bytes() - m.accounted)
	}
	m.accounted = m.backlog.Bytes()
}

func (m *Mailbox) choose() job {
	was := m.doing
	m.doing = nothing
	greeting := false
	if was == invokeLifecycle {
		_, greeting = m.handling.(*messages.Assigned)
	}
	switch {
	case m.broken != nil:
		err := m.broken
		m.broken = nil
		m.greet = m.greet || greeting
		m.fault = &Fault{Err: err, Class: classOfBroken(err), Greet: greeting}
		return escalation(err, m.handling)
	case was == invokeRecord:
		m.attempt.returned = true
	case greeting:
		m.greeted = true
	}
	if m.attempt.record != nil && m.attempt.returned {
		if j := m.settle(); j.kind != nothing {
			return j
		}
	}
	if m.system.len() > 0 {
		return m.chooseSystem()
	}
	if m.suspended || m.stopped {
		return job{}
	}
	switch {
	case m.sourceDue():
		err := m.source
		m.source = nil
		m.backlog.Park(err.Error(), messages.ClassSource)
		return reporting(Report{Source: err, Offset: m.backlog.Next()})
	case m.greetDue():
		m.greet = false
		return job{kind: invokeLifecycle, message: &messages.Assigned{
			Claim: m.set.Claim, Incarnation: m.incarnation, Next: m.backlog.Next(),
		}}
	case m.leaveDue():
		return m.chooseFarewell()
	case m.control.len() > 0:
		return job{kind: invokeControl, message: m.control.pop()}
	}
	return m.chooseRecord()
}

func (m *Mailbox) chooseSystem() job {
	message := m.system.pop()
	switch message.(type) {
	case *actor.SuspendMailbox:
		m.suspended = true
		return job{kind: again}
	case *actor.ResumeMailbox:
		m.suspended = false
		if f := m.fault; f != nil { // nobody left a verdict: a plain resume gives the head up
			m.fault = nil
			if f.Record != nil {
				m.giveUp(f.Record.Offset)
				return reporting(Report{GivenUp: f.Record})
			}
		}
		return job{kind: again}
	case *actor.Restart:
		if m.stopped { // protoactor would resurrect the actor
			return job{kind: again}
		}
		m.reincarnate()
		// Until its children have ended, the old incarnation would get messages: protoactor resumes when the new one is there.
		m.suspended = true
	case *actor.Stop:
		if m.stopped {
			return job{kind: again}
		}
		m.note(true)
		m.stopped = true
	}
	return job{kind: invokeSystem, message: message}
}

func (m *Mailbox) chooseFarewell() job {
	if said := m.farewell; said != nil {
		m.farewell = nil
		if m.greeted && !m.abandoned {
			return job{kind: invokeLifecycle, message: said}
		}
	}
	if m.attempt.record != nil && !m.lost && !m.abandoned {
		return job{kind: again} // a kept record may still be completed; leaveDue is false from now on
	}
	m.note(true)
	m.stopped = true
	return job{kind: invokeSystem, message: &actor.Stop{}}
}

func (m *Mailbox) chooseRecord() job {
	if !m.mayDeliver() {
		return job{}
	}
	t, ok := m.backlog.Take()
	if !ok {
		return job{}
	}
	r := t.Again()
	if r == nil {
		if len(m.slab) == 0 {
			m.slab = make([]messages.Record, slabSize)
		}
		r, m.slab = &m.slab[0], m.slab[1:]
		t.Read(r)
	}
	r.Fence = m.fence
	messages.Bind(m.current, r, m)
	m.attempt.record = r // the rest of it was cleared
	m.delivered++
	return job{kind: invokeRecord, message: r}
}

// classOfBroken: a hook's error, or the panic of an Actor producer.
func classOfBroken(err error) messages.Class {
	if c := messages.ClassOf(err); c == messages.ClassPanic {
		return c
	}
	return messages.ClassHook
}

// slabSize is how many records are allocated at once.
const slabSize = 64
