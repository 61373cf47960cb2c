package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// The times that ListOffsets takes for the ends of a log (Kafka: ListOffsetsRequest.java).
const (
	latest   = -1
	earliest = -2
)

// ErrStopped is the answer of Range and OffsetAt after Stop.
var ErrStopped = errors.New("ottla: the source has been stopped")

// Range asks the leader for the first offset of a partition's log and the one behind its last readable record: the
// last stable offset with ReadCommitted, else the high-water mark. Leaders that have moved, topics that do not exist
// and brokers that fail are tried again until ctx ends; an error for which that does not help (not authorised) is a
// *[PartitionError] at once. Many calls at the same time make few requests.
func (s *Source) Range(ctx context.Context, topic string, partition int32) (start, end int64, err error) {
	at := place{topic, partition}
	if start, err = s.list(ctx, question{place: at, when: earliest}); err != nil {
		return 0, 0, err
	}
	if end, err = s.list(ctx, question{place: at, when: latest}); err != nil {
		return 0, 0, err
	}
	return start, max(start, end), nil // the two requests are not one: retention may have run between them
}

// OffsetAt asks for the offset of the first record that is not older than at; when there is none, for the end of
// the log as Range has it. It tries again as Range does.
func (s *Source) OffsetAt(ctx context.Context, topic string, partition int32, at time.Time) (int64, error) {
	where := place{topic, partition}
	offset, err := s.list(ctx, question{place: where, when: max(0, at.UnixMilli())})
	if err == nil && offset < 0 {
		return s.list(ctx, question{place: where, when: latest})
	}
	return offset, err
}

// HighWater asks for the offset behind the last record that is replicated, whether or not a transaction that it
// belongs to is open. With ReadUncommitted it is the end of Range. It tries again as Range does.
func (s *Source) HighWater(ctx context.Context, topic string, partition int32) (int64, error) {
	return s.list(ctx, question{place: place{topic, partition}, when: latest, plain: true})
}

// list asks a partition's leader for the offset of a time, until it has an answer.
func (s *Source) list(ctx context.Context, q question) (int64, error) {
	at := q.place
	var since time.Time // what is known of the leader must be no older
	var last error
	for failed := 0; ; failed++ {
		if err := s.waitToTry(ctx, delay(max(0, failed-1), s.options.Backoff)); err != nil {
			if last != nil {
				return 0, fmt.Errorf("ottla: the offsets of %s/%d are not known yet: %w; the last answer: %w", at.topic, at.partition, err, last)
			}
			return 0, err
		}
		who, err := s.leader(ctx, at, since)
		if err == nil {
			var offset int64
			if offset, err = s.lists.ask(ctx, who.addr, q); err == nil {
				return offset, nil
			}
		}
		var code sarama.KError
		if errors.As(err, &code) && judge(code) == giveUp {
			return 0, explain(at.topic, at.partition, -1, err)
		}
		if ctx.Err() == nil || last == nil { // the end of ctx is not what the user wants to read
			last = err
		}
		since = time.Now()
	}
}

// leader finds who leads a partition, as of since or later.
func (s *Source) leader(ctx context.Context, at place, since time.Time) (leader, error) {
	who, known, err := s.leaders.known(at.topic, at.partition, since)
	if known && err == nil {
		return who, nil
	}
	if err := s.leaders.refresh(ctx, []string{at.topic}); err != nil {
		return leader{}, err
	}
	who, known, err = s.leaders.known(at.topic, at.partition, since)
	if !known {
		return leader{}, sarama.ErrLeaderNotAvailable // somebody else's look, just before since
	}
	return who, err
}

// waitToTry waits d, unless ctx or the source ends.
func (s *Source) waitToTry(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(max(0, d))
	defer t.Stop()
	select {
	case <-s.ctx.Done():
		return ErrStopped
	default:
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ctx.Done():
		return ErrStopped
	}
}
