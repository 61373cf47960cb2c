package actors

import (
	"context"
	"errors"

	"github.com/ottla-go/ottla/messages"
)

// Complete is messages.Completer's: the outcome of an attempt, from any goroutine, fenced by identity.
func (m *Mailbox) Complete(r *messages.Record, err error) error {
	o := examine(err)
	m.mu.Lock()
	if err := m.stale(r); err != nil {
		m.mu.Unlock()
		return err
	}
	m.attempt.answered, m.attempt.outcome = true, m.attempt.limit.judged(o)
	m.kick() // does something only if Receive has returned already
	return nil
}

// Keep is messages.Completer's.
func (m *Mailbox) Keep(r *messages.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stale(r) == nil {
		m.attempt.kept = true
		m.watch(r)
	}
}

// Stale is messages.Completer's.
func (m *Mailbox) Stale(r *messages.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stale(r)
}

func (m *Mailbox) stale(r *messages.Record) error {
	switch cause := context.Cause(m.claim); {
	case m.lost:
		return messages.ErrLost
	case (m.abandoned || m.left) && cause != nil:
		return cause
	case m.attempt.record == r && !m.attempt.answered:
		return nil
	case m.attempt.record != r && cause != nil:
		return cause
	}
	if m.set.HandlerTimeout > 0 && errors.Is(context.Cause(r.Context()), messages.ErrTimeout) {
		return messages.ErrTimeout
	}
	return messages.ErrAnswered
}

// returned is the handler's result. It is called by the goroutine that runs the mailbox, which reads it next.
func (m *Mailbox) returned(err error) {
	m.attempt.hasResult = true
	if err != nil {
		m.attempt.result = examine(err)
	}
}

// handedOut says whether r is the record that the mailbox has just handed to the actor, and not one that somebody
// sent it as an ordinary message. It is called by the goroutine that runs the mailbox.
func (m *Mailbox) handedOut(r *messages.Record) bool {
	return m.doing == invokeRecord && m.attempt.record == r
}
