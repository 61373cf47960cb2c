package committer

import (
	"context"
	"fmt"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/supervisor"
)

// Ranges knows what the log of a partition holds: the source. What passes by itself, a leader that moves or a broker
// that is away, it waits out until ctx ends; so any of its errors lasts until somebody acts.
type Ranges interface {
	// Range answers the first offset of the log and the one behind its last readable record: the high-water mark, or
	// with committed reads the last stable offset.
	Range(ctx context.Context, topic string, partition int32) (first, end int64, err error)
	// OffsetAt answers the offset of the first record whose timestamp is at or later, and the end if there is none.
	OffsetAt(ctx context.Context, topic string, partition int32, at time.Time) (int64, error)
}

// Topics knows how many partitions a topic has; *conn.Cluster does.
type Topics interface {
	Topics(ctx context.Context, names ...string) (*conn.Metadata, error)
}

var _ Topics = (*conn.Cluster)(nil)

// span is what a log holds.
type span struct{ first, end int64 }

func (s span) holds(offset int64) bool { return s.first <= offset && offset <= s.end }

// String says it in words.
func (s span) String() string {
	if s.first == s.end {
		return fmt.Sprintf("the log is empty, its next offset is %d", s.end)
	}
	return fmt.Sprintf("the log holds %d to %d", s.first, s.end-1)
}

// outside is the error of an offset that the log does not hold, with the choice Fail: the partition parks.
func (s span) outside(offset int64) error {
	return &supervisor.OutOfRangeError{Offset: offset, Err: fmt.Errorf(
		"%v: skip to go on at %d, or choose Earliest, Latest or At in Offsets.OutOfRange", s, s.after(offset))}
}

// after is the next offset behind one that cannot be read.
func (s span) after(offset int64) int64 { return min(max(offset+1, s.first), s.end) }

// span reads the log's range.
func (k *claim) span(ctx context.Context) (s span, err error) {
	s.first, s.end, err = k.c.set.Ranges.Range(ctx, k.claim.Topic, k.claim.Partition)
	return s, err
}

// resolve turns a choice other than Fail into a number.
func (k *claim) resolve(ctx context.Context, choice offsets.Choice, log span) (next int64, err error) {
	at, timed := choice.Time()
	switch {
	case timed:
		return k.c.set.Ranges.OffsetAt(ctx, k.claim.Topic, k.claim.Partition, at)
	case choice == offsets.Latest:
		return log.end, nil
	default:
		return log.first, nil
	}
}

// Readable implements supervisor.Commits. An offset that the log holds after all is the answer, unless it is to be
// skipped: then the one behind it is.
func (k *claim) Readable(ctx context.Context, offset int64, skip bool) (int64, error) {
	ctx, cancel := k.within(ctx)
	defer cancel()
	log, err := k.span(ctx)
	switch choice := k.c.set.OutOfRange; {
	case err != nil:
		return 0, err
	case skip:
		return log.after(offset), nil
	case log.holds(offset):
		return offset, nil
	case choice == offsets.Fail:
		return 0, log.outside(offset)
	default:
		return k.resolve(ctx, choice, log)
	}
}

// within is ctx, ended also by the claim's end.
func (k *claim) within(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(k.ctx, func() { cancel(context.Cause(k.ctx)) })
	return ctx, func() { stop(); cancel(nil) }
}
