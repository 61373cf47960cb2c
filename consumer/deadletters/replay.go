package deadletters

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/deadletter"
	"github.com/ottla-go/ottla/consumer/internal/source"
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
	// Progress is told how far it has come, often, by the goroutine of the caller. May be nil.
	Progress func(Progress)
}

// Progress is how far a step of a replay has come, in offsets: with holes, as they are.
type Progress struct {
	Step     Step
	Read, Of int64
}

// Step is one of a replay's, one after the other.
type Step string

// The steps.
const (
	StepLetters  Step = "letters"  // which are chosen, and where they go
	StepReplayed Step = "replayed" // what earlier replays have written there; Of is not known before the end
	StepReplay   Step = "replay"
)

// Report is what a replay did, or would do.
type Report struct {
	// Replayed counts the letters whose record was written, by the topic it was written to; of a dry run, those that would
	// be.
	Replayed map[string]int
	// Already counts those that an earlier replay has written, up to the letter with which the limit was reached. They do
	// not count for the limit.
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
// earlier replay has written: see the package. Where they go stands in the letters, which anybody may have written who may
// write to a consumer's topic: so letters that name several topics are not written unless the filter names one, or To does.
//
// The first record that cannot be written ends it. The report is right also with an error: what it counts was acknowledged
// by all replicas in sync.
func (c *Client) Replay(ctx context.Context, topic string, r Replay) (Report, error) {
	report := Report{Replayed: map[string]int{}}
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return report, err
	}
	defer end()
	src, err := c.source(source.ReadCommitted)
	if err != nil {
		return report, err
	}
	defer src.Stop()
	oldest := map[string]time.Time{}
	if err := c.each(ctx, src, topic, r.Filter, func(l *Letter) error {
		to, at := r.to(l), l.Record.Time
		if before, seen := oldest[to]; !seen || at.Before(before) {
			oldest[to] = at
		}
		return nil
	}, r.far(StepLetters)); err != nil {
		return report, err
	}
	if err := r.sound(topic, oldest); err != nil {
		return report, err
	}
	written, err := c.written(ctx, topic, oldest, r.far(StepReplayed))
	if err != nil {
		return report, err
	}
	err = c.each(ctx, src, topic, r.Filter, func(l *Letter) error {
		to := r.to(l)
		already, seen := written[to]
		switch {
		case !seen: // it came after the first look: the next replay has it
			return nil
		case already[l.Place()]:
			report.Already++
			return nil
		case r.Write:
			if err := c.writer.Write(ctx, to, l.Record, deadletter.Replayed(l.Record.Headers, l.Place().String()), l.Origin.Partition); err != nil {
				return fmt.Errorf("ottla: the letter %v is not replayed (Filter.Except, --except, leaves it out): %w", l.Place(), err)
			}
		}
		report.Replayed[to]++
		if report.Total() == r.Filter.Limit {
			return errEnough
		}
		return nil
	}, r.far(StepReplay))
	if errors.Is(err, errEnough) {
		err = nil
	}
	return report, err
}

// sound says why these topics are not written to.
func (r Replay) sound(letters string, targets map[string]time.Time) error {
	if _, ok := targets[letters]; ok {
		return fmt.Errorf("ottla: letters of %s would be written to %s itself: set To (--to) to the topic that they are for, or leave them out by Filter.Topic (--topic)", letters, letters)
	}
	if r.Write && r.To == "" && r.Filter.Topic == "" && len(targets) > 1 {
		return fmt.Errorf("ottla: the letters name several topics, %s: choose one by Filter.Topic (--topic), or set To (--to)",
			strings.Join(slices.Sorted(maps.Keys(targets)), ", "))
	}
	return nil
}

func (r Replay) far(step Step) func(read, of int64) {
	return func(read, of int64) {
		if r.Progress != nil {
			r.Progress(Progress{step, read, of})
		}
	}
}

func (r Replay) to(l *Letter) string {
	if r.To != "" {
		return r.To
	}
	return l.Origin.Topic
}

// written are the letters of a topic that were replayed to these topics since then. A replay writes outside of
// transactions; so they are looked for behind one that is open, too.
func (c *Client) written(ctx context.Context, letters string, to map[string]time.Time, far func(read, of int64)) (map[string]map[Place]bool, error) {
	src, err := c.source(source.ReadUncommitted)
	if err != nil {
		return nil, err
	}
	defer src.Stop()
	written := map[string]map[Place]bool{}
	read := int64(0)
	for _, target := range slices.Sorted(maps.Keys(to)) {
		found := map[Place]bool{}
		partitions, err := c.partitions(ctx, target)
		if err != nil {
			return nil, fmt.Errorf("%w (letters for it are left out by Filter.Topic, --topic, or go elsewhere by To, --to)", err)
		}
		for _, p := range partitions {
			_, end, err := src.Range(ctx, target, p)
			if err != nil {
				return nil, err
			}
			from, err := src.OffsetAt(ctx, target, p, to[target].Add(-skew))
			if err != nil {
				return nil, err
			}
			if err := scan(ctx, src, target, p, from, end, func(r *messages.Record) error {
				read++
				far(read, 0)
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
		written[target] = found
	}
	return written, nil
}
