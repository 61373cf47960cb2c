package consumer

import (
	"context"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/messages"
)

// The committer asks for these interfaces by its own names.
var (
	_ offsets.Store    = OffsetStore(nil)
	_ offsets.Advancer = Advancer(nil)
)

// Offsets says where offsets are kept, and where to begin without one.
type Offsets struct {
	// Store keeps offsets elsewhere than in Kafka. Default: none, they are committed to Kafka.
	Store OffsetStore
	// AlsoToKafka reports progress to Kafka beside the Store, for displays of lag. Nothing is read from there.
	// Default: false.
	AlsoToKafka bool
	// Start is where a partition begins that has no offset yet: Earliest, Latest, At(time) or Fail. With a Store it
	// must be chosen. A partition that is added to the topic later begins at Earliest where the choice is Latest.
	// Default: Earliest.
	Start Choice
	// OutOfRange is where a partition goes on whose offset is not in the log any more, because retention has
	// overtaken it or the topic was made anew: Earliest, Latest, At(time), or Fail, which parks the partition with
	// the reason. What it decides is reported either way. Default: Fail.
	OutOfRange Choice
}

// OffsetStore keeps offsets elsewhere than in Kafka: as a rule in the database that the handlers write to, so
// that effect and offset are one transaction.
//
// The store issues the fence. Kafka's generation is none: it starts anew when a group was empty, and with static
// membership two processes can hold the same one for a heartbeat (KIP-345). So Acquire raises a number of its own
// per partition and answers it with the offset; it travels with each record ([Record.Fence]); the handler's
// transaction compares it and answers messages.ErrFenced when the store has a newer one. Effects are exactly-once
// only if offset, fence check and effect are one transaction.
type OffsetStore interface {
	// Acquire makes the claim the owner of its partition: it answers where the partition stands, and makes every
	// fence that was issued for this partition before invalid. It is called when a claim starts, and again after
	// ErrFenced while the claim is still ours; for several partitions at once. It should give up when ctx ends. An
	// error is a failure of messages.ClassStore and goes through the policy.
	Acquire(ctx context.Context, claim messages.Claim) (Position, error)
}

// Advancer is an optional method of an [OffsetStore]. Skipping a record moves the stored offset without a
// handler's transaction, so a consumer whose policy or operator skips needs it.
type Advancer interface {
	// Advance stores next for the partition if fence is still the newest one, else it answers
	// messages.ErrFenced.
	Advance(ctx context.Context, claim messages.Claim, next, fence int64) error
}

// Position is where a partition stands in an [OffsetStore]: Next, the offset of the first record that is not done,
// or [Unknown]; and Fence, what every write of this owner has to show. Both are int64.
type Position = offsets.Position

// Choice says where to begin. The zero value is the setting's default.
type Choice = offsets.Choice

const (
	// Earliest begins at the oldest record that the log still has.
	Earliest = offsets.Earliest
	// Latest begins at the end of the log: only what is produced from now on.
	Latest = offsets.Latest
	// Fail does not begin: the partition parks with the reason, and waits for somebody to act.
	Fail = offsets.Fail
	// Unknown is the Next of a Position for a partition that the store does not know yet: Offsets.Start applies.
	Unknown = offsets.Unknown
)

// At begins at the first record whose timestamp is t or later, to the millisecond, and at the end of the log if
// there is none.
func At(t time.Time) Choice { return offsets.At(t) }
