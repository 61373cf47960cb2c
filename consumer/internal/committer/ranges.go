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
	// HighWater answers the offset behind the last replicated record, also where a transaction is open before it.
	HighWater(ctx context.Context, topic string, partition int32) (int64, error)
	// OffsetAt answers the offset of the first record whose timestamp is at or later, and the end if there is none.
	OffsetAt(ctx context.Context, topic string, partition int32, at time.Time) (int64, error)
}

// Topics knows how many partitions a topic has; *conn.Cluster does.
type Topics interface {
	Topics(ctx context.Context, names ...string) (*conn.Metadata, error)
}

var _ Topics = (*conn.Cluster)(nil)

// span is what a log holds.
type span struct {
	first int64
	end   int64 // behind the last readable record: Latest begins here
	high  int64 // the high-water mark; at least end
}

// holds: also behind the last readable record, where an open transaction holds back a record that is there. A commit
// can lie there, for example by a consumer that read uncommitted; brokers let it be fetched from, and wait.
func (s span) holds(offset int64) bool { return s.first <= offset && offset <= s.high }

// String says it in words.
func (s span) String() string {
	if s.first == s.high {
		return fmt.Sprintf("the log is empty, its next offset is %d", s.high)
	}
	return fmt.Sprintf("the log holds %d to %d", s.first, s.high-1)
}

// outside is the error of an offset that the log does not hold, with the choice Fail: the partition parks.
func (s span) outside(offset int64) error {
	return &supervisor.OutOfRangeError{Offset: offset, Err: fmt.Errorf(
		"%v: skip to go on at %d, or choose Earliest, Latest or At in Offsets.OutOfRange", s, s.after(offset))}
}

// after is the next offset behind one that cannot be read.
func (s span) after(offset int64) int64 { return min(max(offset+1, s.first), s.high) }

// span reads the log's range, about an offset: what lies behind the readable records is asked for only if it matters.
func (k *claim) span(ctx context.Context, about int64) (s span, err error) {
	s.first, s.end, err = k.c.set.Ranges.Range(ctx, k.claim.Topic, k.claim.Partition)
	if s.high = s.end; err == nil && about > s.end {
		s.high, err = k.c.set.Ranges.HighWater(ctx, k.claim.Topic, k.claim.Partition)
		s.high = max(s.high, s.end)
	}
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
	log, err := k.span(ctx, offset)
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
