package committer

import (
	"context"
	"errors"
	"sync"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// ErrClosed says that a claim was closed before an offset was acknowledged, or that it had been before.
var ErrClosed = errors.New("ottla: the claim was closed before the offset was committed")

// claim is the commits of one claim. Commit is on the path of every record, so what it touches is this struct under
// its own lock; the loop is told only when the claim becomes dirty, or urgent.
type claim struct {
	c     *Committer
	claim messages.Claim

	// ctx ends when the claim is closed, with ErrClosed: Start, Readable and Flush do not outlast it.
	ctx    context.Context //nolint:containedctx // see above
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	note    actors.Progress // what Commit said last
	said    uint64          // counts the notes
	sent    uint64          // the note in the last request that had this claim
	acked   uint64          // the last note that was acknowledged
	flying  bool            // sent is in the request in flight
	listed  bool            // the loop knows, or is being told, that there is something to send
	urgent  bool            // and that it is urgent
	hurried bool            // and that a flush waits for it
	fenced  bool            // lost: no request has it any more
	closed  bool
	gaveUp  bool     // a final CommitFailed was told
	waiters []waiter // in the order of their notes
	born    int32    // metadata.Note.Partitions, carried on from owner to owner
	fence   int64    // of the store

	report // of the loop alone
}

var _ supervisor.Commits = (*claim)(nil)

type waiter struct {
	note  uint64
	done  func(error)
	flush bool
}

// Commit implements supervisor.Commits. done is never called by Commit itself, whose caller may hold a lock that done
// takes.
func (k *claim) Commit(p actors.Progress, urgent bool, done func(error)) {
	if k.c.storeAlone() {
		k.c.later(done, nil)
		return
	}
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		k.c.later(done, ErrClosed)
		return
	}
	if p.Next != k.note.Next || p != k.note {
		k.note = p
		k.said++
	}
	tell := false
	switch {
	case k.acked == k.said:
		k.mu.Unlock()
		k.c.later(done, nil)
		return
	case k.coming(), k.fenced: // the answer will do; Close will
	case !k.listed, urgent && !k.urgent:
		tell = true
		k.listed, k.urgent = true, k.urgent || urgent
	}
	if done != nil {
		k.waiters = append(k.waiters, waiter{note: k.said, done: done})
	}
	k.mu.Unlock()
	if tell {
		k.c.list(k)
	}
}

// Flush implements supervisor.Commits. It does not wait for the pause after a failure, which may be longer than the
// time that a revocation leaves: its note is tried once at once.
func (k *claim) Flush(ctx context.Context) error {
	if k.c.storeAlone() {
		return nil
	}
	k.mu.Lock()
	switch {
	case k.closed:
		k.mu.Unlock()
		return ErrClosed
	case k.acked == k.said:
		k.mu.Unlock()
		return nil
	}
	answer := make(chan error, 1)
	k.waiters = append(k.waiters, waiter{k.said, func(err error) { answer <- err }, true})
	known := k.coming() || k.fenced
	if !known {
		k.listed, k.urgent, k.hurried = true, true, true
	}
	k.mu.Unlock()
	if !known {
		k.c.list(k)
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close implements supervisor.Commits. What is in flight cannot be recalled, and before a release there is nothing in
// flight, because Flush has waited for it; if Close comes all the same, then the answer decides what is told: an
// acknowledgement, or that it was the last try.
func (k *claim) Close() {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return
	}
	k.closed = true
	waiters := k.waiters
	k.waiters = nil
	dropped := k.acked != k.said && !k.coming()
	k.gaveUp = dropped
	next := k.note.Next
	k.mu.Unlock()

	k.cancel(ErrClosed)
	k.c.forget(k)
	if dropped {
		k.c.inbox.CommitFailed(k.claim, next, ErrClosed, true)
	}
	for _, w := range waiters {
		w.done(ErrClosed)
	}
	k.c.list(k) // the loop forgets it
}

// coming says that the newest note is in the request in flight.
func (k *claim) coming() bool { return k.flying && k.sent == k.said }

// heard is the loop's side of list. dirty: there is something that no request has taken yet; hurried: a flush has come
// since the last time.
func (k *claim) heard() (dirty, urgent, hurried, closed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	hurried, k.hurried = k.hurried, false
	return k.listed, k.urgent, hurried, k.closed
}

// take gives the note that goes into the next request; false: the claim is lost or closed, or there is nothing to send.
func (k *claim) take() (p actors.Progress, born int32, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listed, k.urgent = false, false
	if k.closed || k.fenced || k.acked == k.said {
		return p, 0, false
	}
	k.sent, k.flying = k.said, true
	return k.note, k.born, true
}

// acknowledged ends the flight with success. done are appended to calls; flush says that one of them is a Flush.
func (k *claim) acknowledged(calls []func(error)) (_ []func(error), flush bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flying, k.acked = false, k.sent
	n := 0
	for n < len(k.waiters) && k.waiters[n].note <= k.acked {
		calls = append(calls, k.waiters[n].done)
		flush = flush || k.waiters[n].flush
		n++
	}
	left := copy(k.waiters, k.waiters[n:])
	clear(k.waiters[left:])
	k.waiters = k.waiters[:left]
	return calls, flush
}

// refused ends the flight without success. closed: there will be no other try; tell: nobody has been told that yet.
func (k *claim) refused() (closed, tell bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flying = false
	tell = k.closed && !k.gaveUp
	k.gaveUp = k.closed
	return k.closed, tell
}
