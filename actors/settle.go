package actors

import (
	"context"
	"errors"
	"fmt"

	"github.com/ottla-go/ottla/messages"
)

// settleDue: an attempt has returned and was answered. A failure waits while the supervisor makes up its mind about
// another fault.
func (m *Mailbox) settleDue() bool {
	a := &m.attempt
	switch {
	case a.record == nil || !a.returned || !a.answered:
		return false
	case a.outcome == nil || m.over() || m.backlog.Stopping():
		return true
	}
	return !m.questioned() && !m.stopped
}

// over: the partition may be somebody else's by now, or the claim was closed. Nothing of it counts any more.
func (m *Mailbox) over() bool { return m.lost || m.abandoned || m.left }

// settle draws the conclusion from an attempt. It needs the lock. A job of kind nothing means that there is nothing
// more to do about it.
func (m *Mailbox) settle() job {
	r, o, probe, openings := m.attempt.record, m.attempt.outcome, m.attempt.probe, m.attempt.openings
	m.attempt.clear()
	switch {
	case m.over():
		return job{}
	case o == nil:
		if probe {
			m.set.Breaker.succeed(m)
		}
		m.finish(r)
		return job{}
	case unwanted(m.claim) && o.class != messages.ClassUnanswered:
		m.backlog.Fail(r.Offset, nil) // not a failure: it was told to give up, and did
		m.unwanted = true             // it would come again at once, for ever
		if o.class == messages.ClassPanic {
			return reporting(Report{Farewell: o.err})
		}
		return job{}
	}
	switch {
	case !o.seeks:
	case m.set.Seek == nil || o.offset < 0:
		o = noSeek(o.offset, m.set.Seek == nil)
	case m.backlog.Stopping(): // the next owner's store will say so again
		m.backlog.Fail(r.Offset, nil)
		return job{}
	default:
		if probe { // an answer, of a handler that has asked its store
			m.set.Breaker.succeed(m)
		}
		return m.seek(o.offset)
	}
	if m.questioned() || m.stopped { // a kept record, while the claim is given up: the next owner tries it again
		m.backlog.Fail(r.Offset, r.Redeliver())
		m.push(false)
		return reporting(Report{Farewell: o.err})
	}
	m.fault = &Fault{Record: r, Err: o.err, Class: o.class, openings: openings, text: o.text}
	return escalation(m.fault, r)
}

// noSeek is the failure in the place of a seek that cannot be carried out.
func noSeek(offset int64, storeless bool) *outcome {
	why := "the offset is negative"
	if storeless {
		why = "there is no offset store to be ahead of the partition; set Offsets.Store, or answer with another outcome"
	}
	err := fmt.Errorf("%w: %s", messages.SeekTo(offset), why)
	return &outcome{err: err, text: err.Error(), class: messages.ClassSeek}
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
	if m.backlog.gate.Named {
		m.unparked(r.Offset)
	}
	m.counters.Handled++
	m.dequeued()
}

// unparked notes, to be told, that an operator's park of the record at offset has ended without anybody's word.
func (m *Mailbox) unparked(offset int64) {
	m.unsaid = append(m.unsaid, Report{Unparked: true, Offset: offset})
}

// giveUp ends the record without success, and counts that.
func (m *Mailbox) giveUp(offset int64, count *int64) bool {
	if !m.backlog.Finish(offset) {
		return false
	}
	*count++
	m.dequeued()
	return true
}

func (m *Mailbox) dequeued() {
	if m.backlog.gate.Named { // first: the park was this record's, it must not be committed with the next one
		m.openGate()
	}
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
	if m.behind && (idle || m.notes == 0) {
		m.push(idle)
	}
}

func (m *Mailbox) push(urgent bool) {
	if m.over() || !m.opened {
		return
	}
	if m.behind = false; m.set.Commit == nil { // an offset store keeps the offsets, and nothing is reported
		m.awaitAck = false
		return
	}
	m.notes++
	m.set.Commit(m.progress(), urgent, m.acked)
}

// progress is what the next owner must know.
func (m *Mailbox) progress() Progress {
	p := Progress{Next: m.backlog.Next(), Attempt: m.backlog.Attempts()}
	if g := m.backlog.Gate(); g.Kind == Parked && g.Stays && (p.Attempt > 0 || g.Named) {
		p.Parked, p.Reason = true, g.Reason
	}
	return p
}

// acknowledged: a note was committed, or will never be because the claim is closed. CommitEach waits for all of them:
// the answer to an older one (a failed attempt has one, too) says nothing about the newest.
func (m *Mailbox) acknowledged(error) {
	m.mu.Lock()
	m.notes--
	m.awaitAck = m.awaitAck && m.notes > 0
	m.note(false)
	m.kick()
}

// seek carries out a handler's SeekTo.
func (m *Mailbox) seek(offset int64) job {
	from := m.backlog.Next()
	n := m.await(offset)
	m.push(false)
	return job{kind: seekSource, rare: &rare{
		offset: offset, seek: n,
		report: &Report{Sought: true, Offset: from, SoughtTo: offset},
	}}
}
