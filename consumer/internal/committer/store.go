package committer

import (
	"context"
	"fmt"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/supervisor"
)

// startByStore begins where the store says. Kafka's committed offset, which AlsoToKafka leaves, is not read: the store
// alone knows what is done.
func (k *claim) startByStore(ctx context.Context) (supervisor.Start, error) {
	var pos offsets.Position
	err := actors.Guarded(ctx, func() (err error) {
		pos, err = k.c.set.Store.Acquire(ctx, k.claim)
		return err
	})
	if err != nil {
		return supervisor.Start{}, fmt.Errorf("ottla: the offset store did not acquire %s/%d: %w", k.claim.Topic, k.claim.Partition, err)
	}
	k.mu.Lock()
	k.fence = pos.Fence
	k.mu.Unlock()
	log, err := k.span(ctx, pos.Next)
	if err != nil {
		return supervisor.Start{}, err
	}
	start, choice := startAt(pos.Next), k.c.set.OutOfRange
	switch {
	case pos.Next == offsets.Unknown:
		if choice = k.c.set.Start; choice == offsets.Fail {
			return supervisor.Start{Fence: pos.Fence}, &supervisor.OutOfRangeError{Offset: offsets.Unknown, Err: fmt.Errorf(
				"the offset store does not know %s/%d and Offsets.Start is Fail: store an offset and un-park, or skip to begin at %d",
				k.claim.Topic, k.claim.Partition, log.first)}
		}
		start, err = k.startBy(ctx, choice, log)
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
	err := actors.Guarded(ctx, func() error { return store.Advance(ctx, k.claim, next, fence) })
	if err != nil {
		return fmt.Errorf("ottla: the offset store did not advance %s/%d to %d: %w", k.claim.Topic, k.claim.Partition, next, err)
	}
	return nil
}
