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
	reason error            // escalateFault
	failed *messages.Record // escalateFault: the attempt that failed, if it was one
	offset int64            // seekSource
	seek   uint64           // seekSource
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
			m.escalate(&j)
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

// escalate asks the supervisor. A head that failed is copied first, and without the lock: its value may be large.
func (m *Mailbox) escalate(j *job) {
	if r := j.rare.failed; r != nil {
		again := r.Redeliver()
		m.mu.Lock()
		m.backlog.Fail(r.Offset, again)
		m.mu.Unlock()
	}
	j.invoker.EscalateFailure(j.rare.reason, j.message)
}

// recovered deals with a panic, or a Goexit (r is nil), of user code. It answers whether this goroutine goes on.
func (m *Mailbox) recovered(r any) bool {
	exits := r == nil // runtime.Goexit: this goroutine is ending, whatever we do
	if exits {
		r = messages.Goexit
	}
	err := &messages.PanicError{Value: r, Stack: debug.Stack()}
	m.mu.Lock()
	m.crashed(err)
	m.mu.Unlock()
	if exits {
		m.dispatcher.Schedule(m.run) // still scheduled: nobody else runs it
		return false
	}
	return true
}

// crashed notes a panic where choose looks for it.
func (m *Mailbox) crashed(err *messages.PanicError) {
	a := &m.attempt
	if m.doing == invokeRecord && !(a.answered && a.outcome == nil) {
		a.answered, a.outcome = true, err
		return
	}
	// A control message, Started, Assigned, or a record that was answered before the panic: the actor is suspect, no
	// record is.
	m.broken = err
	if m.doing == escalateFault { // protoactor failed, or the application's logger in it: nobody was asked
		m.fault = nil
	}
}

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
	m.ended()
	if m.settleDue() {
		if j := m.settle(); j.kind != nothing {
			return j
		}
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
		err := m.source
		m.source = nil
		m.park(err.Error(), messages.ClassSource)
		return reporting(Report{Source: err, Offset: m.backlog.Next()})
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

// ended notes what has come of the job that was under way.
func (m *Mailbox) ended() {
	was := m.doing
	m.doing = nothing
	greeting := false
	switch was {
	case invokeRecord:
		m.attempt.end()
	case invokeLifecycle:
		_, greeting = m.handling.(*messages.Assigned)
		m.greeted = m.greeted || greeting && m.broken == nil
	}
	if m.broken == nil {
		return
	}
	f, about := &Fault{Err: m.broken, Class: classOfBroken(m.broken), Greet: greeting}, m.handling
	if was == invokeRecord {
		about = m.attempt.record
	}
	m.broken = nil
	if greeting {
		m.greet, m.ungreeted = true, true
	}
	if m.unasked == nil {
		m.unasked, m.about = f, about
	}
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
	return escalation(f.Err, about)
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
	case *actor.ResumeMailbox:
		m.suspended = false
		if f := m.fault; f != nil { // nobody left a verdict: a plain resume gives the head up
			m.fault = nil
			if m.passOver(f) {
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
		m.suspended = true
		return j
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
		// A hook is called once per claim, not per incarnation: the fresh one need not have been greeted.
		if told := m.greeted || m.hooked && m.set.Handler != nil; told && !m.abandoned {
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
		r = m.blank(t.size)
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

// slabSize is how many records are allocated at once. One of them that is alive keeps all of them, and their values
// with them: large ones are therefore allocated one by one.
const (
	slabSize  = 64
	slabbable = 1 << 10 // bytes, as Record.Size counts them
)

// blank is where a record is read to.
func (m *Mailbox) blank(size int) *messages.Record {
	if size > slabbable {
		return new(messages.Record)
	}
	if len(m.slab) == 0 {
		m.slab = make([]messages.Record, slabSize)
	}
	r := &m.slab[0]
	m.slab = m.slab[1:]
	return r
}
