package deadletters

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/source"
	"github.com/ottla-go/ottla/messages"
)

// Filter chooses letters: those that are as each of its fields that is set says. The zero value chooses all.
type Filter struct {
	// Topic is that of the origin.
	Topic string
	// Group, Class, Rule and RequestID are the letter's.
	Group, Class, Rule, RequestID string
	// Error is a part of the error's text.
	Error string
	// Key is the record's.
	Key string
	// Since and Until bound when the letter was written: Since counts in, Until does not. A letter that does not say it is
	// left out by either.
	Since, Until time.Time
	// At is one letter, Except are some that are left out.
	At     Place
	Except []Place
	// Limit is the most letters; 0: no limit.
	Limit int
}

// Matches says whether the letter is one of the chosen, Limit aside.
func (f Filter) Matches(l *Letter) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return is(f.Topic, l.Origin.Topic) && is(f.Group, l.Group) && is(f.Class, l.Class) && is(f.Rule, l.Rule) &&
		is(f.RequestID, l.RequestID) && is(f.Key, string(l.Record.Key)) && strings.Contains(l.Error, f.Error) &&
		(f.Since.IsZero() || !l.Written.Before(f.Since)) && (f.Until.IsZero() || !l.Written.IsZero() && l.Written.Before(f.Until)) &&
		(f.At == Place{} || f.At == l.Place()) && !slices.Contains(f.Except, l.Place())
}

// errEnough ends a scan.
var errEnough = errors.New("enough")

// Read visits the letters of a topic that the filter chooses, one partition after the other, each from its first offset
// that is left to the end that it has now. Records that are no dead letters are left out. An error of visit ends it.
// The letter may be kept; its record's bytes are those of the fetch.
func (c *Client) Read(ctx context.Context, topic string, f Filter, visit func(*Letter) error) error {
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	src, err := c.source(source.ReadCommitted)
	if err != nil {
		return err
	}
	defer src.Stop()
	n := 0
	err = c.each(ctx, src, topic, f, func(l *Letter) error {
		if err := visit(l); err != nil {
			return err
		}
		if n++; n == f.Limit {
			return errEnough
		}
		return nil
	}, func(read, of int64) {})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// each is Read without the limit. far is told how far it has come, in offsets.
func (c *Client) each(
	ctx context.Context, src *source.Source, topic string, f Filter, visit func(*Letter) error, far func(read, of int64),
) error {
	partitions, err := c.partitions(ctx, topic)
	if err != nil {
		return err
	}
	type span struct {
		partition  int32
		start, end int64
	}
	var spans []span
	var read, of int64
	for _, n := range partitions {
		if f.At.Topic == topic && f.At.Partition != n {
			continue
		}
		start, end, err := src.Range(ctx, topic, n)
		if err != nil {
			return err
		}
		if f.At.Topic == topic {
			start, end = max(start, f.At.Offset), min(end, f.At.Offset+1)
		}
		if start < end {
			spans = append(spans, span{n, start, end})
			of += end - start
		}
	}
	far(0, of)
	for _, s := range spans {
		err := scan(ctx, src, topic, s.partition, s.start, s.end, func(r *messages.Record) error {
			defer far(read+r.Offset-s.start+1, of)
			if l, ok := letter(r); ok && f.Matches(l) {
				return visit(l)
			}
			return nil
		})
		if err != nil {
			return err
		}
		read += s.end - s.start
		far(read, of)
	}
	return nil
}
