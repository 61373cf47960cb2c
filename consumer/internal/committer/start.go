package committer

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// NoOffsetError is why a claim does not begin where nothing is committed and the start choice is Fail. It comes inside
// a supervisor.OutOfRangeError, so that the partition parks.
type NoOffsetError struct{ Group string }

// Error says what to do.
func (e *NoOffsetError) Error() string {
	return "nothing is committed for group " + e.Group + " and Offsets.Start is Fail: commit an offset and un-park, or skip to begin at the log's first record"
}

// Start implements supervisor.Commits. Errors that pass by themselves, a coordinator that moves or loads, a leader
// that is elected, are waited out until ctx ends.
func (k *claim) Start(ctx context.Context) (supervisor.Start, error) {
	ctx, cancel := k.within(ctx)
	defer cancel()
	if k.c.set.Store != nil {
		return k.startByStore(ctx)
	}
	found, err := k.c.committed(ctx, k.place(), false)
	if err != nil {
		return supervisor.Start{}, err
	}
	log, err := k.span(ctx)
	if err != nil {
		return supervisor.Start{}, err
	}
	at := found[k.claim.Partition]
	if at == nil {
		return k.startAfresh(ctx, log)
	}
	note, err := metadata.Decode(at.Metadata)
	if err != nil {
		k.c.set.Logger.Warn("the committed offset's metadata carries nothing", slog.String("claim", k.claim.String()),
			slog.Int64("offset", at.Offset), slog.Any("error", err))
	}
	k.carry(note.Partitions)
	if log.holds(at.Offset) {
		return supervisor.Start{Next: at.Offset, Progress: note.Progress(at.Offset)}, nil
	}
	moved, err := k.move(ctx, at.Offset, log, "committed offset")
	if err == nil && k.c.set.OutOfRange == offsets.Latest {
		err = k.settle(ctx, moved.Next)
	}
	return moved, err
}

// startAfresh begins where the start choice says.
func (k *claim) startAfresh(ctx context.Context, log span) (supervisor.Start, error) {
	choice := k.c.set.Start
	switch choice {
	case offsets.Fail:
		return supervisor.Start{}, &supervisor.OutOfRangeError{Offset: offsets.Unknown, Err: &NoOffsetError{k.c.set.Group}}
	case offsets.Latest:
		return k.startLatest(ctx, log)
	}
	next, err := k.resolve(ctx, choice, log)
	return startAt(next), err
}

// startLatest begins at the end of the log, if the group has just come to the topic, and at the beginning, if the
// partition was added since: what it holds was produced while the group was there.
//
// That other partitions have a committed offset does not tell the two apart. The first members of a group start their
// claims at the same moment: A has partitions 0 and 1, asks, finds nothing, commits their ends; B has 2 and 3, asks
// 5 ms later, finds A's commits, would take 2 and 3 for new, and would go through all of their history. So whoever
// begins at the end commits with it how many partitions the topic has, and each commit carries that on. A partition
// with this number or a higher one was added; one below it has only not been begun yet.
//
// Where other partitions have offsets and none carries the number (the group began with another choice, or another
// client), the partition is taken for new: reading too much is better than jumping over something.
//
// The end is committed, and acknowledged, before the first record: a crash in between would else begin at a later end.
func (k *claim) startLatest(ctx context.Context, log span) (supervisor.Start, error) {
	found, err := k.c.committed(ctx, k.place(), true)
	if err != nil {
		return supervisor.Start{}, err
	}
	var born int32
	for _, b := range found {
		if note, err := metadata.Decode(b.Metadata); err == nil && note.Partitions > 0 && (born == 0 || note.Partitions < born) {
			born = note.Partitions
		}
	}
	if len(found) == 0 {
		if born, err = k.partitions(ctx); err != nil {
			return supervisor.Start{}, err
		}
	}
	k.carry(born)
	if k.claim.Partition >= born { // also where nobody has noted a number
		k.c.set.Logger.Info("the partition was added after the group began: it starts at its beginning, not at its end",
			slog.String("claim", k.claim.String()), slog.Int64("next", log.first))
		return startAt(log.first), nil
	}
	return startAt(log.end), k.settle(ctx, log.end)
}

// partitions is how many the topic has now.
func (k *claim) partitions(ctx context.Context) (n int32, err error) {
	err = k.persist(ctx, "the number of partitions", func() error {
		m, err := k.c.set.Topics.Topics(ctx, k.claim.Topic)
		if err != nil {
			return err
		}
		t := m.Topics[k.claim.Topic]
		n = int32(len(t.Partitions))
		return t.Err
	})
	return max(n, k.claim.Partition+1), err // a broker that lags behind knows fewer than we own
}

// startByStore begins where the store says. Kafka's committed offset, which AlsoToKafka leaves, is not read: the store
// alone knows what is done.
func (k *claim) startByStore(ctx context.Context) (supervisor.Start, error) {
	var pos offsets.Position
	err := guard(func() (err error) {
		pos, err = k.c.set.Store.Acquire(ctx, k.claim)
		return err
	})
	if err != nil {
		return supervisor.Start{}, fmt.Errorf("ottla: the offset store did not acquire %s/%d: %w", k.claim.Topic, k.claim.Partition, err)
	}
	k.mu.Lock()
	k.fence = pos.Fence
	k.mu.Unlock()
	log, err := k.span(ctx)
	if err != nil {
		return supervisor.Start{}, err
	}
	start, choice := startAt(pos.Next), k.c.set.OutOfRange
	switch {
	case pos.Next == offsets.Unknown:
		if choice = k.c.set.Start; choice == offsets.Fail {
			return supervisor.Start{}, &supervisor.OutOfRangeError{Offset: offsets.Unknown, Err: fmt.Errorf(
				"the offset store does not know %s/%d and Offsets.Start is Fail: store an offset and un-park, or skip to begin at %d",
				k.claim.Topic, k.claim.Partition, log.first)}
		}
		start.Next, err = k.resolve(ctx, choice, log)
	case !log.holds(pos.Next):
		start, err = k.move(ctx, pos.Next, log, "offset store's position")
	default:
		choice = 0
	}
	if err == nil && choice == offsets.Latest {
		err = k.advance(ctx, start.Next) // for the same reason as in startLatest, where the store can
	}
	start.Fence = pos.Fence
	return start, err
}

// move applies the out-of-range choice.
func (k *claim) move(ctx context.Context, from int64, log span, what string) (supervisor.Start, error) {
	choice := k.c.set.OutOfRange
	if choice == offsets.Fail {
		return supervisor.Start{}, log.outside(from)
	}
	to, err := k.resolve(ctx, choice, log)
	start := startAt(to)
	start.Moved = &messages.Moved{Claim: k.claim, From: from, To: to, Why: fmt.Sprintf(
		"the %s is out of range (%v), and Offsets.OutOfRange is %v", what, log, choice)}
	return start, err
}

// settle commits a position that could not be found again, and waits for the acknowledgement.
func (k *claim) settle(ctx context.Context, next int64) error {
	k.Commit(actors.Progress{Next: next}, true, nil)
	return k.Flush(ctx)
}

// Advance implements supervisor.Commits.
func (k *claim) Advance(ctx context.Context, next int64) error {
	if k.c.set.Store == nil {
		return nil
	}
	if _, can := k.c.set.Store.(offsets.Advancer); !can {
		return fmt.Errorf("ottla: the offset store %T has no method Advance: a record cannot be skipped", k.c.set.Store)
	}
	return k.advance(ctx, next)
}

// advance moves the store, if it can be moved from outside a handler.
func (k *claim) advance(ctx context.Context, next int64) error {
	store, can := k.c.set.Store.(offsets.Advancer)
	if !can {
		return nil
	}
	k.mu.Lock()
	fence := k.fence
	k.mu.Unlock()
	err := guard(func() error { return store.Advance(ctx, k.claim, next, fence) })
	if err != nil {
		return fmt.Errorf("ottla: the offset store did not advance %s/%d to %d: %w", k.claim.Topic, k.claim.Partition, next, err)
	}
	return nil
}

// carry has the number go with every commit of the claim.
func (k *claim) carry(partitions int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.born = partitions
}

func (k *claim) place() place { return place{k.claim.Topic, k.claim.Partition} }

// startAt begins at next, with nothing carried over.
func startAt(next int64) supervisor.Start {
	return supervisor.Start{Next: next, Progress: actors.Progress{Next: next}}
}
