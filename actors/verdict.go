package actors

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// Fault is what the partition actor's supervisor is asked about at the moment; nil when there is nothing.
func (m *Mailbox) Fault() *Fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fault
}

// Judge leaves the verdict on a fault. Call it before the child is resumed or restarted: protoactor's Resume
// does not say what is to become of the message. It answers false when the fault is no longer the one that
// waits for a verdict, for example because the actor has been restarted meanwhile.
//
// A delay holds the head, not the actor: messages to it go on. For a fault that is no record's, the caller waits
// before it resumes or restarts.
func (m *Mailbox) Judge(f *Fault, failure messages.Failure, d messages.Decision) bool {
	failure, text := lasting(failure)
	m.mu.Lock()
	if m.fault == nil || m.fault != f {
		m.mu.Unlock()
		return false
	}
	m.fault = nil
	m.remember(&failure, text, &d)
	m.judged(f, failure, d)
	switch d.Action {
	case messages.ActionRetry:
		m.counters.Retried++
	case messages.ActionBreak:
		m.counters.Breaks++
	case messages.ActionRestart:
		m.counters.Restarted++
	case messages.ActionSkip:
		m.passOver(f, &m.counters.Skipped)
	case messages.ActionDeadLetter: // it has been written
		m.passOver(f, &m.counters.DeadLettered)
	case messages.ActionPark:
		if m.park(d.Reason, failure.Class) && f.Record == nil {
			m.parkIsOurs()
		}
		m.vacant = m.vacant || m.hollow || f.Birth // to be taken up again, it needs an actor first
	case messages.ActionEscalate:
		m.parkEscalated(failure.Class)
	}
	if f.Record != nil {
		switch d.Action {
		case messages.ActionRetry, messages.ActionRestart, messages.ActionBreak:
			m.hold(d.Delay)
			m.push(false) // the dirty unit is offset and attempts
		case messages.ActionPark, messages.ActionEscalate:
			m.push(false)
		}
	}
	m.kick()
	return true
}

// judged tells the breaker what was decided. A probe that is decided about otherwise, or whose actor waits for something
// else, is none any more; nor is one whose partition was parked or paused while it was with its handler, or that is being given
// up.
func (m *Mailbox) judged(f *Fault, failure messages.Failure, d messages.Decision) {
	b := m.set.Breaker
	switch {
	case f.Record == nil:
		if d.Delay > 0 {
			m.concede()
		}
	case d.Action != messages.ActionBreak:
		b.abort(m)
	default:
		b.trip(m, failure, d, f.openings)
		if m.backlog.Gate().Kind == Parked || m.backlog.Paused() || m.backlog.Stopping() {
			b.yield(m)
		}
	}
}

// concede: the actor waits for long, or has stopped, and a head that is the breaker's probe with it. One that was kept
// may be completed with success all the same; an error would wait with the actor, and nobody need complete it at all.
func (m *Mailbox) concede() {
	m.set.Breaker.yield(m)
	if m.attempt.record == nil || m.attempt.returned {
		m.set.Breaker.abort(m)
	}
}

// passOver goes on as if the fault had not been, and answers whether a record was given up for that, which is counted.
func (m *Mailbox) passOver(f *Fault, count *int64) (gaveUp bool) {
	switch {
	case f.Record != nil:
		return m.giveUp(f.Record.Offset, count)
	case f.Greet:
		m.greet, m.ungreeted, m.greeted, m.hooked = false, false, true, true
	case m.hollow: // the Actor producer failed: there is nobody who could go on
		m.vacant = true
		if m.park(f.text, f.Class) {
			m.parkIsOurs()
		}
	}
	return false
}

// Note records a fault that reached the supervisor by another way than the mailbox, for status.
func (m *Mailbox) Note(failure messages.Failure, d messages.Decision) {
	failure, text := lasting(failure)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remember(&failure, text, &d)
	switch d.Action {
	case messages.ActionPark:
		m.park(d.Reason, failure.Class)
	case messages.ActionEscalate:
		m.parkEscalated(failure.Class)
	default:
		if d.Delay <= 0 {
			return
		}
	}
	m.concede()
}

// lasting is a failure as status keeps it, with its error's text: asked once, and without the lock, it is user code. The
// key may be a part of a fetch.
func lasting(failure messages.Failure) (messages.Failure, string) {
	failure.Key = bytes.Clone(failure.Key)
	o := examine(failure.Err)
	if o == nil {
		return failure, ""
	}
	failure.Err = o.err
	return failure, o.text
}

func (m *Mailbox) remember(failure *messages.Failure, text string, d *messages.Decision) {
	m.failure, m.failed, m.decision = failure, text, d
	m.counters.Failed++
	switch d.Action {
	case messages.ActionPark:
		m.counters.Parked++
	case messages.ActionEscalate:
		m.counters.Escalated++
	}
}

// Vacate parks the partition and makes the next incarnation an empty one: what a plain strategy's Stop means.
// Restart the child afterwards.
func (m *Mailbox) Vacate(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.vacant = true
	m.park(reason, messages.ClassHandler)
}

// Occupy undoes Vacate, but for the park, and answers whether there was anything to undo. Restart the child
// afterwards.
func (m *Mailbox) Occupy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.vacant
	m.vacant = false
	return was
}

// Park holds records back until RetryHead or SkipHead, without a verdict. What is in flight finishes.
func (m *Mailbox) Park(reason string, class messages.Class) {
	m.mu.Lock()
	m.park(reason, class)
	m.kick()
}

// park answers whether the gate is this park's. One that ends with the position, without anybody's word, does not take
// the place of one that somebody must end: it would end that one, too. An operator's park of the record goes on under any other:
//
//  1. 10 is in flight, and an operator parks it by name, so that it is not delivered again if it fails.
//  2. It fails, and the policy parks it for that, or its actor for another failure. The reason is the newer one.
//  3. Whatever that other park would mean for the next owner, it is told of the operator's.
func (m *Mailbox) park(reason string, class messages.Class) bool {
	m.stopTimer()
	if g := m.backlog.Gate(); g.Kind == Parked && !g.passes() && (Gate{Class: class}).passes() {
		return false
	}
	m.set.Breaker.yield(m)
	named := m.backlog.gate.Named
	m.backlog.Park(reason, class)
	m.backlog.gate.Named = named
	m.parkBegins()
	return true
}

// parkEscalated: the consumer ends, and the next owner tries again; unless an operator has said what becomes of the record.
func (m *Mailbox) parkEscalated(class messages.Class) {
	if !m.backlog.gate.Named && m.park("escalated", class) {
		m.parkIsOurs()
	}
}

// parkIsOurs: the next owner is not told of the park, which is not about the record; unless an operator's is under it.
func (m *Mailbox) parkIsOurs() { m.backlog.gate.Stays = m.backlog.gate.Named }

func (m *Mailbox) hold(d time.Duration) {
	m.stopTimer()
	if d <= 0 || m.backlog.Stopping() || m.backlog.Gate().Kind == Parked { // a park outlasts any hold
		return
	}
	m.backlog.Hold(time.Now().Add(d))
	n := m.holding
	m.timer = time.AfterFunc(d, func() { m.release(n) })
}

// stopTimer makes every older timer meaningless, also one that has fired and waits for the lock.
func (m *Mailbox) stopTimer() {
	m.holding++
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
}

func (m *Mailbox) release(n uint64) {
	m.mu.Lock()
	if n == m.holding { // else it was released, parked, or held anew meanwhile
		m.timer = nil
		m.openGate()
	}
	m.kick()
}

func (m *Mailbox) openGate() {
	m.backlog.Release()
	m.standsNoMore()
	m.wake = true
}

// HeadError says why a command on the head was refused.
type HeadError struct {
	Want, Have int64
	Text       string
}

// Error names both offsets.
func (e *HeadError) Error() string {
	if e.Want != e.Have {
		return fmt.Sprintf("ottla: the command was meant for offset %d, but the head is %d by now", e.Want, e.Have)
	}
	return fmt.Sprintf("ottla: offset %d: %s", e.Have, e.Text)
}

// RetryHead ends the hold or the park of the head at offset. A pause stays.
func (m *Mailbox) RetryHead(offset int64) error {
	m.mu.Lock()
	err := m.waits(offset)
	if err == nil && m.backlog.Gate().Kind == Open {
		err = &HeadError{offset, offset, "the partition neither holds nor is parked; it is paused until Resume"}
	}
	if err == nil {
		m.stopTimer()
		m.openGate()
		m.push(false) // it is not parked any more
	}
	m.kick()
	return err
}

// SkipHead gives up the head at offset, which is held, parked or paused.
func (m *Mailbox) SkipHead(offset int64) error { return m.giveUpHead(offset, &m.counters.Skipped) }

// DeadLetterHead gives it up as a dead letter, which has been written.
func (m *Mailbox) DeadLetterHead(offset int64) error {
	return m.giveUpHead(offset, &m.counters.DeadLettered)
}

func (m *Mailbox) giveUpHead(offset int64, count *int64) error {
	m.mu.Lock()
	err := m.waits(offset)
	if err == nil && m.backlog.Unfinished() == 0 {
		err = &HeadError{offset, offset, "there is no such record in the backlog"}
	}
	if err == nil {
		m.stopTimer()
		m.set.Breaker.yield(m)
		m.openGate() // first: the park was this record's, it must not be committed with the next one
		m.giveUp(offset, count)
		m.push(true)
	}
	m.kick()
	return err
}

// Unreadable says that the partition is parked because its source gave up at offset: there is no record to skip, and a
// skip has to find where it goes on.
func (m *Mailbox) Unreadable(offset int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.backlog.Gate()
	return g.Kind == Parked && g.Class == messages.ClassSource && m.backlog.Unfinished() == 0 && m.backlog.Next() == offset && !m.backlog.Stopping()
}

func (m *Mailbox) waits(offset int64) error {
	head := m.backlog.Next()
	switch {
	case head != offset:
		return &HeadError{Want: offset, Have: head}
	case m.backlog.Stopping():
		return &HeadError{offset, head, "the partition is being given up"}
	case m.attempt.record != nil:
		return &HeadError{offset, head, "the record is being handled"}
	case m.fault != nil && m.fault.Record != nil: // it would meet the next record
		return &HeadError{offset, head, "the record has failed, and it is not decided yet what is done about it"}
	case m.backlog.Gate().Kind == Open && !m.backlog.Paused() && m.backlog.Unfinished() > 0 && m.set.Breaker.bars(m):
		return &HeadError{offset, head, "the consumer's breaker is open, and this is not its probe"}
	case m.backlog.Gate().Kind == Open && !m.backlog.Paused():
		return &HeadError{offset, head, "the partition neither holds nor is parked"}
	}
	return nil
}
