package actors

import (
	"context"
	"errors"
	"fmt"

	"github.com/ottla-go/ottla/messages"
)

// settle draws the conclusion from an attempt that has returned. It needs the lock. A job of kind nothing means
// that the attempt stays open, or that there is nothing to do about it.
func (m *Mailbox) settle() job {
	a := &m.attempt
	if !a.answered {
		switch {
		case a.hasResult && (a.result != nil || !a.kept):
			a.answered, a.outcome = true, a.result
		case a.kept:
			return job{}
		default:
			a.answered, a.outcome = true, messages.ErrUnanswered
		}
	}
	r, outcome := a.record, a.outcome
	m.attempt.clear()
	if m.lost || m.abandoned { // somebody else's by now: nothing of it counts
		return job{}
	}
	if outcome == nil {
		m.finish(r)
		return job{}
	}
	if unwanted(m.claim) && !errors.Is(outcome, messages.ErrUnanswered) {
		m.backlog.Fail(r.Offset, nil) // not a failure: it was told to give up, and did
		return job{}
	}
	var seek *messages.SeekError
	if errors.As(outcome, &seek) {
		if m.set.Seek != nil && seek.Offset >= 0 {
			return m.seek(seek.Offset)
		}
		outcome = noSeek(seek, m.set.Seek == nil)
	}
	m.backlog.Fail(r.Offset, r.Redeliver())
	m.fault = &Fault{Record: r, Err: outcome, Class: messages.ClassOf(outcome)}
	return escalation(outcome, r)
}

func noSeek(seek *messages.SeekError, storeless bool) error {
	if storeless {
		return fmt.Errorf("%w: there is no offset store to be ahead of the partition; set Offsets.Store, or answer with another outcome", seek)
	}
	return fmt.Errorf("%w: the offset is negative", seek)
}

// unwanted: the claim was taken away while the attempt ran, so that an error it answers is no failure.
func unwanted(claim context.Context) bool {
	cause := context.Cause(claim)
	return errors.Is(cause, messages.ErrRevoked) || errors.Is(cause, messages.ErrLost) || errors.Is(cause, messages.ErrStopped)
}

// finish ends the record with success: its offset is noted for the committer, then it is dequeued.
func (m *Mailbox) finish(r *messages.Record) {
	if !m.backlog.Finish(r.Offset) {
		return // the backlog was thrown away meanwhile
	}
	m.counters.Handled++
	m.dequeued()
}

// giveUp ends the record without success.
func (m *Mailbox) giveUp(offset int64) bool {
	if !m.backlog.Finish(offset) {
		return false
	}
	m.counters.Skipped++
	m.dequeued()
	return true
}

func (m *Mailbox) dequeued() {
	if m.set.Each {
		m.awaitAck = true
		m.push(true)
	} else {
		m.behind = true
		m.note(false)
	}
	m.makeRoom()
}

// note tells the committer where the partition stands. While a note is under way, what is finished meanwhile is
// gathered: one note for each answer, and one when the backlog runs empty, instead of one for each record.
func (m *Mailbox) note(idle bool) {
	if m.behind && (idle || !m.noted) {
		m.push(idle)
	}
}

func (m *Mailbox) push(urgent bool) {
	if m.lost || m.abandoned || !m.opened {
		return
	}
	if m.behind = false; m.set.Commit == nil { // an offset store keeps the offsets, and nothing is reported
		m.noted, m.awaitAck = false, false
		return
	}
	m.noted = true
	m.set.Commit(m.progress(), urgent, m.acked)
}

// progress is what the next owner must know.
func (m *Mailbox) progress() Progress {
	p := Progress{Next: m.backlog.Next(), Attempt: m.backlog.Attempts()}
	if g := m.backlog.Gate(); g.Kind == Parked && g.Stays && p.Attempt > 0 {
		p.Parked, p.Reason = true, g.Reason
	}
	return p
}

// acknowledged: a note was committed, or will never be because the claim is closed.
func (m *Mailbox) acknowledged(error) {
	m.mu.Lock()
	m.noted, m.awaitAck = false, false
	m.note(false)
	m.kick()
}

func (m *Mailbox) seek(offset int64) job {
	from := m.backlog.Next()
	n := m.backlog.Await(offset)
	m.full, m.awaitAck = false, false
	m.push(false)
	return job{kind: seekSource, rare: &rare{
		offset: offset, seek: n,
		report: &Report{Sought: true, Offset: from, SoughtTo: offset},
	}}
}
