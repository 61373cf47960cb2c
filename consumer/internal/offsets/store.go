package offsets

import (
	"context"

	"github.com/ottla-go/ottla/messages"
)

// Store keeps offsets elsewhere than in Kafka: as a rule in the database that the handlers write to, so that
// effect and offset are one transaction.
//
// The store issues the fence. Kafka's generation is none: it starts anew when a group was empty, and with static
// membership two processes can hold the same one (KIP-345: the later process takes over, the former learns it at
// its next heartbeat). So Acquire raises a number of its own per partition and gives it out with the offset; it
// travels with each record ([messages.Record.Fence]); the handler's transaction compares it and answers
// [messages.ErrFenced] when the store has a newer one. Effects are exactly-once only if offset, fence check and
// effect are one transaction.
type Store interface {
	// Acquire makes the claim the owner of its partition: it answers where the partition stands, and makes every
	// fence that was issued before for this partition invalid. It is called when a claim starts, and again after
	// ErrFenced while the claim is still ours. Several partitions acquire at the same time. It should give up when
	// ctx ends. An error is a failure of ClassStore and goes through the policy.
	Acquire(ctx context.Context, claim messages.Claim) (Position, error)
}

// Advancer is an optional method of a Store. Skipping a record moves the stored offset without a handler's
// transaction, so a consumer whose policy or operator skips needs it.
type Advancer interface {
	// Advance stores next for the partition if fence is still the newest one, else it answers
	// messages.ErrFenced.
	Advance(ctx context.Context, claim messages.Claim, next, fence int64) error
}

// Position is where a partition stands in a Store.
type Position struct {
	// Next is the offset of the first record that is not done, or Unknown.
	Next int64
	// Fence is what every write of this owner has to show. It only grows, per partition.
	Fence int64
}

// Unknown is the Next of a partition that the store does not know yet: the start choice applies.
const Unknown int64 = -1
