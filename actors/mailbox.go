package actors

import (
	"context"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// Mailbox is the mailbox of one claim's partition actor: the backlog, behind protoactor's actor.Mailbox. One
// goroutine at a time runs it; all methods are safe for concurrent use, take one short lock, and never block on
// user code.
type Mailbox struct {
	set Settings

	mu         sync.Mutex
	invoker    actor.MessageInvoker
	dispatcher actor.Dispatcher
	backlog    Backlog
	system     fifo
	control    fifo
	scheduled  bool
	suspended  bool    // between a failure and what the supervisor makes of it, or between Restart and its Resume
	restarting bool    // between Restart and the fresh incarnation
	renewed    bool    // between that and protoactor's Resume for it
	stopped    bool    // Stop was handed over
	born       bool    // Started was handed over
	doing      jobKind // what the running goroutine is at
	handling   any     // with which message, unless it is a record

	attempt   attempt
	fault     *Fault // what the supervisor was asked about
	unasked   *Fault // what it is to be asked about next, and what protoactor is told that it was about
	about     any
	unsaid    []Report    // what has happened where nobody can be told at once
	awaitAck  bool        // CommitEach: the next record waits for the last one's commit
	notes     int         // commits that were noted and have not been acknowledged
	behind    bool        // something was finished since
	timer     *time.Timer // of a hold
	holding   uint64      // number of the newest hold: a timer of an older one means nothing
	parking   parking     // since when it has been parked or paused, and whether that is long
	pause     Pause       // of an operator's; zero: none
	opened    bool        // the start is known
	greet     bool        // Assigned is due
	greeted   bool        // this incarnation got its Assigned
	ungreeted bool        // it failed the last time
	hooked    bool        // the Assigned hook has succeeded in this claim
	broken    *outcome    // the hook, or the producer, has just failed
	vacant    bool        // a plain strategy's Stop: parked, and the incarnation is gone
	hollow    bool        // the incarnation of now is none: vacant, or its producer failed
	source    *outcome    // the source gave up; the partition parks when what was fetched before is finished
	farewell  any         // *messages.Revoked or *messages.Lost that is due
	unwanted  bool        // a handler gave up under a context that has ended: the next one could only do the same
	lost      bool
	abandoned bool

	fence       int64
	incarnation int
	claim       context.Context // ends with the claim
	endClaim    context.CancelCauseFunc
	current     context.Context // ends with the incarnation
	endCurrent  context.CancelCauseFunc
	delivery    *messages.Delivery // of what the incarnation gets

	pacer  pacer
	pacing *time.Timer // until the next record may go; nil: none waits

	full      bool // at a high mark, until both are below half
	refused   bool // the budget had no room
	wake      bool // the source is to be told
	accounted int  // bytes that the budget knows of
	left      bool // the claim was closed
	extent    Extent
	extentOf  uint64 // the seek that extent belongs to

	counters  messages.Counters
	failure   *messages.Failure
	failed    string // its error's text
	decision  *messages.Decision
	delivered uint64      // attempts so far
	jobs      uint64      // other jobs so far
	looked    undertaking // what somebody has seen it at the last time, and since when
	lookedAt  time.Time

	acked  func(error)     // m.acknowledged, made once
	number uint64          // in the labels
	labels context.Context //nolint:containedctx // of the goroutine that runs it
}

// Fault is what the supervisor is asked about. It is the reason of protoactor's Failure, too, so that the question can be told
// from one that has been overtaken by a restart, and from the failure of a user's own child that was escalated.
type Fault struct {
	Record *messages.Record // the attempt that failed; nil when no record is concerned
	Err    error
	Class  messages.Class
	Greet  bool // it was in Assigned
	Birth  bool // it was in Started: there is no incarnation that could go on

	openings uint64 // of the breaker, when the attempt began
	text     string
}

// Error is the text of Err.
func (f *Fault) Error() string { return f.text }

// Unwrap answers Err.
func (f *Fault) Unwrap() error { return f.Err }

// NewMailbox makes the mailbox of a claim. It accepts nothing from a source until Open.
func NewMailbox(set Settings) *Mailbox {
	m := &Mailbox{set: set, incarnation: 1, pacer: newPacer(set.Rate)}
	m.labels = m.labelled(set.Context)
	m.claim, m.endClaim = context.WithCancelCause(m.labels)
	m.conceive()
	m.acked = m.acknowledged
	set.Budget.join()
	return m
}

// PostUserMessage takes any message but records, which come from the source. A poison pill is a system Stop: it
// overtakes the backlog, and works while the partition holds, is parked, or is suspended.
func (m *Mailbox) PostUserMessage(message any) {
	switch msg := actor.UnwrapEnvelopeMessage(message).(type) {
	case *actor.PoisonPill:
		m.PostSystemMessage(&actor.Stop{})
		return
	case actor.MessageBatch: // protoactor's mailbox posts the parts and then the batch again
		envelope, _ := message.(*actor.MessageEnvelope)
		for _, part := range msg.GetMessages() {
			if envelope != nil {
				part = &actor.MessageEnvelope{Header: envelope.Header, Message: part, Sender: envelope.Sender}
			}
			m.PostUserMessage(part)
		}
		return
	}
	m.mu.Lock()
	m.control.push(message)
	m.kick()
}

// PostSystemMessage takes protoactor's own messages.
func (m *Mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	if _, ok := message.(*actor.ResumeMailbox); ok && m.renewed {
		m.renewed, message = false, restarted{}
	}
	m.system.push(message)
	m.kick()
}

// RegisterHandlers is called by protoactor at the spawn. A second time it is the spawn of a new actor in the
// place of one that has stopped itself: the backlog stays, the first record in it is delivered again.
//
// Nothing but system messages is delivered before Started. protoactor posts that after this returns; a source may
// deliver in between, and the goroutine that has stopped the old actor may still be there to take it.
func (m *Mailbox) RegisterHandlers(invoker actor.MessageInvoker, dispatcher actor.Dispatcher) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.invoker != nil {
		m.reincarnate()
		m.born, m.stopped, m.suspended, m.restarting, m.renewed = false, false, false, false, false
		if g := m.backlog.Gate(); g.Kind == Parked && g.Class == messages.ClassActorStopped {
			m.openGate() // it was parked until somebody spawns it again
		}
		m.system.clear()
	}
	m.invoker, m.dispatcher = invoker, dispatcher
}

// Start is called by protoactor when the actor may run.
func (m *Mailbox) Start() {
	m.mu.Lock()
	m.kick()
}

// UserMessageCount is the number of messages and unfinished records.
func (m *Mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.control.len() + m.backlog.Unfinished()
}

// kick schedules the mailbox if there is something to do, and unlocks.
func (m *Mailbox) kick() {
	run := !m.scheduled && m.invoker != nil && m.runnable()
	m.scheduled = m.scheduled || run
	dispatcher := m.dispatcher
	m.mu.Unlock()
	if run {
		dispatcher.Schedule(m.run)
	}
}

func (m *Mailbox) runnable() bool {
	switch {
	case m.system.len() > 0 || m.wake || len(m.unsaid) > 0 || m.settleDue():
		return true
	case m.stopped || !m.born:
		return false
	case m.leaveDue():
		return true
	case m.suspended:
		return false
	}
	_, pins := m.backlog.Pins()
	return m.sourceDue() || m.greetDue() || m.control.len() > 0 || pins || m.recordDue()
}

// greetDue: who failed in Assigned, and is parked for it, waits until somebody acts.
func (m *Mailbox) greetDue() bool {
	if !m.greet || m.hollow || m.ungreeted && m.backlog.Gate().Kind == Parked {
		return false
	}
	return m.opened && !m.backlog.Stopping() && m.attempt.record == nil
}

// sourceDue: what was fetched before the source gave up is finished.
func (m *Mailbox) sourceDue() bool {
	return m.source != nil && !m.backlog.Stopping() && m.attempt.record == nil && m.backlog.Unfinished() == 0
}

// leaveDue: the claim is being given up and there is a farewell to say, or nothing left to wait for. It is due while
// the actor is suspended, too: the policy may make a failed actor wait for an hour. The verdict on a record is
// waited for, because it may be a skip, whose offset is to be committed; it comes at once.
func (m *Mailbox) leaveDue() bool {
	switch {
	case !m.backlog.Stopping():
		return false
	case m.lost || m.abandoned:
		return true
	case m.fault != nil && m.fault.Record != nil:
		return false
	}
	return m.farewell != nil || m.attempt.record == nil
}

// mayDeliver: no record is with the user, nothing comes before the next one, and there is somebody who would take it.
func (m *Mailbox) mayDeliver() bool {
	return m.attempt.record == nil && !m.awaitAck && !m.greet && !m.hollow && !m.unwanted && m.pacing == nil
}

func (m *Mailbox) recordDue() bool {
	if !m.mayDeliver() {
		return false
	}
	_, ok := m.backlog.Peek()
	return ok && !m.set.Breaker.bars(m)
}
