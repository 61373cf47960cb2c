package deadletters

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/deadletter"
	"github.com/ottla-go/ottla/messages"
)

// ReplayOf is the header of a record that was written by a replay: the letter's place, as topic/partition@offset.
const ReplayOf = deadletter.ReplayOf

// skew is how far the clocks of those who write letters and those who replay them may be apart.
const skew = time.Hour

// Replay says which letters are replayed, and where to.
type Replay struct {
	Filter Filter
	// To is the topic that all are written to; empty: each to the topic that it came from.
	To string
	// Write is false for a dry run, which only counts.
	Write bool
	// Progress is told how far the topic of the letters has been gone through, often, by the goroutine of the caller. May be nil.
	Progress func(Progress)
}

// Report is what a replay did, or would do.
type Report struct {
	// Replayed counts the letters whose record was written, by the topic it was written to; of a dry run, those that would
	// be.
	Replayed map[string]int
	// Already counts those that an earlier replay has written. They do not count for the filter's limit.
	Already int
}

// Total is the number of letters that were replayed, or would be.
func (r Report) Total() (n int) {
	for _, m := range r.Replayed {
		n += m
	}
	return n
}

// Replay writes the records of the letters that the filter chooses, in the order of each partition, and not those that an
// earlier replay has written: see the package. The first record that cannot be written ends it. The report is right also
// with an error: what it counts was acknowledged by all replicas in sync.
func (c *Client) Replay(ctx context.Context, topic string, r Replay) (Report, error) {
	report := Report{Replayed: map[string]int{}}
	oldest := map[string]time.Time{}
	if err := c.each(ctx, topic, r.Filter, func(l *Letter) error {
		if to, at := r.to(l), l.Record.Time; oldest[to].IsZero() || at.Before(oldest[to]) {
			oldest[to] = at
		}
		return nil
	}, func(Progress) {}); err != nil {
		return report, err
	}
	if _, ok := oldest[topic]; ok {
		return report, fmt.Errorf("ottla: letters of %s would be written to %s itself: set To to the topic that they are for", topic, topic)
	}
	written := map[string]map[Place]bool{}
	for to, since := range oldest {
		places, err := c.written(ctx, topic, to, since.Add(-skew))
		if err != nil {
			return report, err
		}
		written[to] = places
	}
	far := r.Progress
	if far == nil {
		far = func(Progress) {}
	}
	err := c.each(ctx, topic, r.Filter, func(l *Letter) error {
		to := r.to(l)
		switch {
		case oldest[to].IsZero(): // it came after the first look: the next replay has it
			return nil
		case written[to][l.Place()]:
			report.Already++
			return nil
		case r.Filter.Limit > 0 && report.Total() >= r.Filter.Limit:
			return errEnough
		case r.Write:
			if err := c.writer.Write(ctx, to, l.Record, deadletter.Replayed(l.Record.Headers, l.Place().String()), l.Origin.Partition); err != nil {
				return fmt.Errorf("ottla: the letter %v is not replayed: %w", l.Place(), err)
			}
		}
		report.Replayed[to]++
		return nil
	}, far)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return report, err
}

func (r Replay) to(l *Letter) string {
	if r.To != "" {
		return r.To
	}
	return l.Origin.Topic
}

// written are the letters of a topic that were replayed to another one since then.
func (c *Client) written(ctx context.Context, letters, to string, since time.Time) (map[Place]bool, error) {
	partitions, err := c.partitions(ctx, to)
	if err != nil {
		return nil, err
	}
	found := map[Place]bool{}
	for _, p := range partitions {
		_, end, err := c.source.Range(ctx, to, p)
		if err != nil {
			return nil, err
		}
		from, err := c.source.OffsetAt(ctx, to, p, since)
		if err != nil {
			return nil, err
		}
		if err := c.scan(ctx, to, p, from, end, func(r *messages.Record) error {
			if mark, ok := r.Header(ReplayOf); ok && strings.HasPrefix(string(mark), letters+"/") {
				if place, err := ParsePlace(string(mark)); err == nil && place.Topic == letters {
					found[place] = true
				}
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return found, nil
}
