package committer

import (
	"context"
	"errors"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// ErrClosed says that a claim was closed before an offset was acknowledged, or that it had been before.
var ErrClosed = errors.New("ottla: the claim was closed before the offset was committed")

// claim is the commits of one claim. Commit is on the path of every record, so what it touches is its notes alone; the
// loop is told only when the claim becomes dirty, or urgent. The lock of the notes is that of born, fence and gone, too.
type claim struct {
	c     *Committer
	claim messages.Claim

	// ctx ends when the claim is closed, with ErrClosed: Start, Readable and Flush do not outlast it.
	ctx    context.Context //nolint:containedctx // see above
	cancel context.CancelCauseFunc

	Notes

	born  int32 // metadata.Note.Partitions, carried on from owner to owner
	fence int64 // of the store

	denied chan struct{} // of one: the coordinator does not know the partition
	gone   error         // what a flush has found out of it

	// Of the loop alone.
	report
	overlong bool // it was said that what is finished beyond the offset is too long
}

var _ supervisor.Commits = (*claim)(nil)

// Kept implements Keeper.
func (k *claim) Kept() *Notes { return &k.Notes }

// Commit implements supervisor.Commits. done is never called by Commit itself, whose caller may hold a lock that done
// takes.
func (k *claim) Commit(p actors.Progress, urgent bool, done func(error)) {
	if k.c.storeAlone() {
		k.c.later(done, nil)
		return
	}
	list, over, err := k.Say(p, urgent, done)
	switch {
	case over:
		k.c.later(done, err)
	case list:
		k.c.list(k)
	}
}

// Flush implements supervisor.Commits. It does not wait for the pause after a failure, which may be longer than the
// time that a revocation leaves: its note is tried once at once. It ends early where the partition does not exist any more.
func (k *claim) Flush(ctx context.Context) error {
	select {
	case <-k.denied: // a refusal of before
	default:
	}
	return k.flush(ctx, k.denied)
}

// flush tells await of refusals by denied; nil: of none, and it waits for as long as ctx does.
func (k *claim) flush(ctx context.Context, denied <-chan struct{}) error {
	if k.c.storeAlone() {
		return nil
	}
	answer := make(chan error, 1)
	ctx, answered := context.WithCancel(ctx)
	defer answered()
	list, over, err := k.Notes.Flush(func(err error) { answer <- err; answered() })
	switch {
	case over:
		return err
	case list:
		k.c.list(k)
	}
	return k.await(ctx, answer, denied)
}

// Close implements supervisor.Commits. What is in flight cannot be recalled, and before a release there is nothing in
// flight, because Flush has waited for it; if Close comes all the same, then the answer decides what is told: an
// acknowledgement, or that it was the last try.
func (k *claim) Close() {
	waiters, next, dropped, again := k.Notes.Close()
	if again {
		return
	}
	k.cancel(ErrClosed)
	k.c.forget(k)
	if dropped {
		k.c.inbox.CommitFailed(k.claim, next, k.whyClosed(), true)
	}
	for _, w := range waiters {
		w.done(ErrClosed)
	}
	k.c.list(k) // the loop forgets it
}

// origin answers how many partitions the topic had when its offsets were first looked for.
func (k *claim) origin() int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.born
}
