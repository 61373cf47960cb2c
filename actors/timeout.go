package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// limit is the time of one attempt. Without a HandlerTimeout there is none, and the attempts of an incarnation share
// one context, which costs nothing for each.
type limit struct {
	after   time.Duration
	ctx     context.Context // ends with ErrTimeout; with its parent, the incarnation's; and when the attempt is over
	end     context.CancelCauseFunc
	release context.CancelFunc // of the timer
	unwatch func() bool        // of a kept record
}

// bind makes r the attempt that is handed out next, and begins its time.
func (m *Mailbox) bind(r *messages.Record) {
	if m.set.HandlerTimeout <= 0 {
		m.delivery.Bind(r)
		return
	}
	l := &limit{after: m.set.HandlerTimeout}
	l.ctx, l.end = context.WithCancelCause(m.current)
	l.ctx, l.release = context.WithTimeoutCause(l.ctx, l.after, messages.ErrTimeout)
	messages.NewDelivery(l.ctx, m).Bind(r)
	m.attempt.limit = l
}

// over: nothing of the attempt is waited for any more.
func (l *limit) over() {
	if l.unwatch != nil {
		l.unwatch()
	}
	l.end(messages.ErrAnswered)
	l.release()
}

// exceeded says whether the attempt's time has ended it. A claim that was taken away before has ended it for another
// reason, and that one counts.
func (l *limit) exceeded() bool {
	return l != nil && errors.Is(context.Cause(l.ctx), messages.ErrTimeout)
}

// judged is what an answer that comes now counts for. An error after the time is over is a timeout, whatever it says: it
// is mostly that of a call that was cut off, and a rule for that one would be for calls that fail by themselves. What
// means something else than "it did not succeed" stays so: nil, a seek, a newer fence, a value that cannot be decoded, a
// panic.
//
// The answer is looked at when it comes, not when it is settled: that may be later, while the supervisor decides about
// another fault, and the time may be over meanwhile.
func (l *limit) judged(o *outcome) *outcome {
	if o == nil || o.class != messages.ClassHandler && o.class != messages.ClassTimeout || !l.exceeded() {
		return o
	}
	return l.timedOut(o)
}

// timedOut is the failure of an attempt whose time is over. answered is nil for one that nobody has answered.
func (l *limit) timedOut(answered *outcome) *outcome {
	e := &timeoutError{after: l.after}
	if answered != nil {
		e.err, e.text = answered.err, answered.text
	}
	return &outcome{err: e, text: e.Error(), class: messages.ClassTimeout}
}

// watch has the time end a record that was kept: there is no handler whose return could be waited for.
func (m *Mailbox) watch(r *messages.Record) {
	if l := m.attempt.limit; l != nil && l.unwatch == nil {
		l.unwatch = context.AfterFunc(l.ctx, func() { m.expired(r) })
	}
}

// expired is called when the context of a kept record has ended. While Receive still runs, its end settles that.
func (m *Mailbox) expired(r *messages.Record) {
	m.mu.Lock()
	a := &m.attempt
	if a.record == r && a.returned && !a.answered && a.limit.exceeded() {
		a.answered, a.outcome = true, a.limit.timedOut(nil)
	}
	m.kick()
}

// timeoutError says that an attempt took too long, and what it answered then. The text was asked for when the answer came:
// it is user code.
type timeoutError struct {
	after time.Duration
	err   error
	text  string
}

// Error names the time, and the answer.
func (e *timeoutError) Error() string {
	s := fmt.Sprintf("%v (HandlerTimeout %v)", messages.ErrTimeout, e.after)
	if e.err == nil || e.text == messages.ErrTimeout.Error() {
		return s
	}
	return s + ": " + e.text
}

// Unwrap returns ErrTimeout, and what was answered.
func (e *timeoutError) Unwrap() []error {
	if e.err == nil {
		return []error{messages.ErrTimeout}
	}
	return []error{messages.ErrTimeout, e.err}
}
