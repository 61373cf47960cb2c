package actors

import (
	"runtime/debug"
	"runtime/pprof"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// job is one thing that the mailbox does without its lock. There is one for each record: the compiler keeps four words
// in registers, and no more.
type job struct {
	kind    jobKind
	message any // what is invoked, or the message that failed
	rare    *rare
}

// chores go with a job.
type chores struct{ wake, relieve bool }

// rare is what few jobs have.
type rare struct {
	fault  *Fault // escalateFault
	offset int64  // seekSource
	seek   uint64 // seekSource
	report *Report
}

func escalation(f *Fault, message any) job {
	return job{kind: escalateFault, message: message, rare: &rare{fault: f}}
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
	copyHead
	again // only the side effects
)

// run is what protoactor's dispatcher runs in a goroutine: until there is nothing to do.
func (m *Mailbox) run() {
	pprof.SetGoroutineLabels(m.labels)
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
		j, c := m.next()
		invoker := m.invoker
		m.begin(j)
		m.mu.Unlock()
		m.sideEffects(c, j.rare)
		switch j.kind {
		case nothing:
			returned = true
			return false
		case invokeSystem:
			invoker.InvokeSystemMessage(j.message)
		case invokeLifecycle, invokeControl, invokeRecord:
			invoker.InvokeUserMessage(j.message)
		case escalateFault:
			m.escalate(j, invoker)
		case seekSource:
			m.set.Seek(j.rare.offset, j.rare.seek)
		case copyHead:
			m.copyHead()
		case again:
		}
	}
}

// begin notes what the goroutine is at, for the case that it does not come back. A record is m.attempt's: noting
// it here once more would cost a pointer write for each.
func (m *Mailbox) begin(j job) {
	m.doing = j.kind
	if j.kind != invokeRecord {
		m.jobs++
	}
	if j.kind != invokeRecord && (j.message != nil || m.handling != nil) {
		m.handling = j.message
	}
}

func (m *Mailbox) sideEffects(c chores, r *rare) {
	if c.wake {
		m.set.Wake()
	}
	if c.relieve {
		m.set.Budget.relieve()
	}
	if r != nil && r.report != nil {
		m.set.Tell(*r.report)
	}
}

// escalate asks the supervisor. A head that failed is copied first, and without the lock: its value may be large.
func (m *Mailbox) escalate(j job, invoker actor.MessageInvoker) {
	f := j.rare.fault
	if r := f.Record; r != nil {
		again := r.Redeliver()
		m.mu.Lock()
		m.backlog.Fail(r.Offset, again)
		m.mu.Unlock()
		if _, ok := f.Err.(*messages.PanicError); ok { //nolint:errorlint // of the mailbox's own making, or harmless
			invoker.InvokeUserMessage(release{})
		}
	}
	invoker.EscalateFailure(f, j.message)
}

// release makes protoactor's context forget the record whose handler panicked. It does so itself when Receive returns;
// else the context keeps the message, and with it the fetch, until the next one, and a parked actor gets none for days.
type release struct{}

// NotInfluenceReceiveTimeout is protoactor's mark for what is no sign of life.
func (release) NotInfluenceReceiveTimeout() {}

// copyHead gives a parked head bytes of its own, without the lock: its value may be large.
func (m *Mailbox) copyHead() {
	m.mu.Lock()
	t, ok := m.backlog.Pins()
	m.mu.Unlock()
	if !ok {
		return
	}
	r := new(messages.Record)
	t.Read(r)
	r = r.Clone()
	m.mu.Lock()
	m.backlog.Own(t, r)
	m.mu.Unlock()
}

// recovered deals with a panic, or a Goexit (r is nil), of user code. It answers whether this goroutine goes on.
func (m *Mailbox) recovered(r any) bool {
	exits := r == nil // runtime.Goexit: this goroutine is ending, whatever we do
	if exits {
		r = messages.Goexit
	}
	o := examine(&messages.PanicError{Value: r, Stack: debug.Stack()})
	m.mu.Lock()
	m.crashed(o)
	m.mu.Unlock()
	if exits {
		m.dispatcher.Schedule(m.run) // still scheduled: nobody else runs it
		return false
	}
	return true
}

// atRecord: user code is at the open record, or at what somebody else has answered about it.
func (m *Mailbox) atRecord() bool {
	if m.doing != invokeControl {
		return m.doing == invokeRecord
	}
	answer, ok := actor.UnwrapEnvelopeMessage(m.handling).(*messages.Answer)
	return ok && answer.Record != nil && answer.Record == m.attempt.record
}

// crashed notes a panic where choose looks for it.
func (m *Mailbox) crashed(o *outcome) {
	a := &m.attempt
	if m.atRecord() && (!a.answered || a.outcome != nil) {
		a.answered, a.outcome = true, o
		return
	}
	// A control message, Started, Assigned, or a record that was answered before the panic: the actor is suspect, no
	// record is.
	m.broken = o
	if m.doing == escalateFault { // protoactor failed, or the application's logger in it: nobody was asked
		m.fault = nil
	}
}

// next settles what has ended and chooses what to do now. It needs the lock.
func (m *Mailbox) next() (j job, c chores) {
	j = m.choose()
	c.wake, m.wake = m.wake, false
	if d := m.backlog.Bytes() - m.accounted; d > accountingStep || d < -accountingStep || (d != 0 && j.kind == nothing) {
		m.account()
	}
	c.relieve = m.set.Budget.waiting.Load()
	if j.kind == nothing {
		m.scheduled = false
		m.note(true)
	}
	return j, c
}

// accountingStep spares the shared counter an update for each record.
const accountingStep = 32 << 10

func (m *Mailbox) account() {
	if !m.left {
		m.set.Budget.add(m.backlog.Bytes() - m.accounted)
	}
	m.accounted = m.backlog.Bytes()
}
