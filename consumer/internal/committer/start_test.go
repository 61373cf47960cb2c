package committer

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/supervisor"
)

// logRange is a scripted log and topic.
type logRange struct {
	mu         sync.Mutex
	first, end int64
	open       int64 // records behind end, of a transaction that is open
	at         func(time.Time) int64
	count      int32
	err        error
	topicErrs  []error // one for each question, then none
	asked      int
}

func withLog(l *logRange) func(*Settings) { return func(s *Settings) { s.Ranges, s.Topics = l, l } }

func (l *logRange) Range(context.Context, string, int32) (int64, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first, l.end, l.err
}

func (l *logRange) HighWater(context.Context, string, int32) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end + l.open, l.err
}

func (l *logRange) OffsetAt(_ context.Context, _ string, _ int32, at time.Time) (int64, error) {
	return l.at(at), l.err
}

func (l *logRange) Topics(_ context.Context, names ...string) (*conn.Metadata, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if len(l.topicErrs) > 0 {
		err := l.topicErrs[0]
		l.topicErrs = l.topicErrs[1:]
		return nil, err
	}
	t := conn.Topic{}
	for p := range l.count {
		t.Partitions = append(t.Partitions, conn.Partition{ID: p})
	}
	return &conn.Metadata{Topics: map[string]conn.Topic{names[0]: t}}, nil
}

func encoded(t *testing.T, n metadata.Note) string {
	t.Helper()
	s, err := metadata.Encode(n)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Every start choice and every out-of-range choice against a log that holds 50 to 99, and five more in a transaction
// that is open; the first record of noon is 77.
func TestStartChoices(t *testing.T) {
	const none = -1
	parked := metadata.Note{Attempt: 4, Parked: true, Reason: "poison"}
	for _, c := range []struct {
		text              string
		committed         int64
		note              metadata.Note
		start, outOfRange offsets.Choice
		next              int64 // -1: it does not start
		progress          metadata.Note
		moved             bool
		settled           bool // committed at once
	}{
		{text: "nothing, by default", committed: none, next: 50},
		{text: "nothing, earliest", committed: none, start: offsets.Earliest, next: 50},
		{text: "nothing, latest", committed: none, start: offsets.Latest, next: 100, settled: true},
		{text: "nothing, at noon", committed: none, start: offsets.At(noon), next: 77},
		{text: "nothing, after all of it", committed: none, start: offsets.At(noon.Add(time.Hour)), next: 100},
		{text: "nothing, fail", committed: none, start: offsets.Fail, next: -1},
		{text: "in the log", committed: 60, start: offsets.Latest, outOfRange: offsets.Latest, next: 60},
		{text: "in the log, with attempts and a park", committed: 60, note: parked, next: 60, progress: parked},
		{text: "the log's first", committed: 50, next: 50},
		{text: "the log's end", committed: 100, next: 100},
		{text: "too low, by default", committed: 49, next: -1},
		{text: "behind an open transaction's first", committed: 103, next: 103},
		{text: "behind all that there is", committed: 105, next: 105},
		{text: "too high, by default", committed: 106, next: -1},
		{text: "too low, earliest", committed: 49, note: parked, outOfRange: offsets.Earliest, next: 50, moved: true},
		{text: "too high, earliest", committed: 106, outOfRange: offsets.Earliest, next: 50, moved: true},
		{text: "too low, latest", committed: 0, outOfRange: offsets.Latest, next: 100, moved: true, settled: true},
		{text: "too low, at noon", committed: 0, outOfRange: offsets.At(noon), next: 77, moved: true},
	} {
		t.Run(c.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(orders(0))
				if c.committed != none {
					b.offsets[orders(0)] = block{c.committed, encoded(t, c.note)}
				}
				log := &logRange{first: 50, end: 100, open: 5, count: 1, at: func(at time.Time) int64 {
					if at.After(noon) {
						return 100
					}
					return 77
				}}
				x := newBench(t, b, withLog(log), func(s *Settings) { s.Start, s.OutOfRange = c.start, c.outOfRange })
				k := x.claim(orders(0))
				got, err := k.Start(t.Context())
				if c.next < 0 {
					var outside *supervisor.OutOfRangeError
					if !errors.As(err, &outside) || outside.Offset != c.committed {
						t.Fatalf("got %+v, %v", got, err)
					}
					if c.committed == none && !errors.As(err, new(*NoOffsetError)) {
						t.Errorf("%v is no NoOffsetError", err)
					}
					if !strings.Contains(err.Error(), "Offsets.") || !strings.Contains(err.Error(), "skip to") {
						t.Errorf("%v names no remedy", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got.Next != c.next || !got.Progress.Equal(c.progress.Progress(c.next)) {
					t.Errorf("starts at %+v, want %d with %+v", got, c.next, c.progress)
				}
				if m := got.Moved; (m != nil) != c.moved || m != nil && (m.From != c.committed || m.To != c.next || m.Claim != k.claim || m.Why == "") {
					t.Errorf("moved: %+v", m)
				}
				if n := len(b.requests()); (n > 0) != c.settled || c.settled && b.committed(orders(0)).offset != c.next {
					t.Errorf("%d commits, %+v", n, b.committed(orders(0)))
				}
			})
		})
	}
}

// An empty log has one offset that is in it: the next one.
func TestAnEmptyLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.offsets[orders(0)] = block{offset: 69}
		x := newBench(t, b, withLog(&logRange{first: 70, end: 70}))
		_, err := x.start(x.claim(orders(0)))
		if err == nil || !strings.Contains(err.Error(), "the log is empty, its next offset is 70") {
			t.Errorf("below it: %v", err)
		}
		b.set(func(b *broker) { b.offsets[orders(0)] = block{offset: 70} })
		if next, err := x.start(x.claim(orders(0))); next != 70 || err != nil {
			t.Errorf("at it: %d, %v", next, err)
		}
	})
}

// Metadata of another client carries nothing; that is worth one line in the log, and the offset counts all the same.
func TestForeignMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.offsets[orders(0)] = block{5, "written by a Java program"}
		x := newBench(t, b, withLog(&logRange{end: 10}))
		got, err := x.claim(orders(0)).Start(t.Context())
		if err != nil || got.Next != 5 || !got.Progress.Equal(at(5)) {
			t.Errorf("starts at %+v, %v", got, err)
		}
		if n := strings.Count(x.logs.String(), "metadata"); n == 0 || strings.Count(x.logs.String(), "\n") != 1 {
			t.Errorf("logged %q", x.logs)
		}
	})
}

// The log's range cannot be read: the source's word is final, since it has waited out what passes.
func TestTheRangeIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(orders(0)), withLog(&logRange{err: sarama.ErrTopicAuthorizationFailed}))
		k := x.claim(orders(0))
		if _, err := k.Start(t.Context()); !errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
			t.Errorf("Start: %v", err)
		}
		if _, err := k.Readable(t.Context(), 5, false); !errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
			t.Errorf("Readable: %v", err)
		}
	})
}

// In the middle of a claim: the choices, and the operator's skip, which does not depend on them.
func TestReadable(t *testing.T) {
	for _, c := range []struct {
		text   string
		choice offsets.Choice
		offset int64
		skip   bool
		next   int64 // -1: an error
	}{
		{"too low, fail", offsets.Fail, 10, false, -1},
		{"too low, earliest", offsets.Earliest, 10, false, 50},
		{"too low, latest", offsets.Latest, 10, false, 100},
		{"too low, at noon", offsets.At(noon), 10, false, 77},
		{"too high, earliest", offsets.Earliest, 200, false, 50},
		{"in the log by now", offsets.Fail, 60, false, 60},
		{"too low, skipped", offsets.Fail, 10, true, 50},
		{"right before the log, skipped", offsets.Latest, 49, true, 50},
		{"too high, skipped", offsets.Earliest, 200, true, 100},
		{"a corrupt batch in the log, skipped", offsets.Latest, 60, true, 61},
		{"the last one, skipped", offsets.Fail, 99, true, 100},
		{"the end, skipped", offsets.Fail, 100, true, 100},
		{"no offset at all, skipped", offsets.Fail, -1, true, 50},
	} {
		synctest.Test(t, func(t *testing.T) {
			log := &logRange{first: 50, end: 100, at: func(time.Time) int64 { return 77 }}
			x := newBench(t, newBroker(orders(0)), withLog(log), func(s *Settings) { s.OutOfRange = c.choice })
			next, err := x.claim(orders(0)).Readable(t.Context(), c.offset, c.skip)
			var outside *supervisor.OutOfRangeError
			if c.next < 0 {
				if !errors.As(err, &outside) || outside.Offset != c.offset {
					t.Errorf("%s: %d, %v", c.text, next, err)
				}
			} else if next != c.next || err != nil {
				t.Errorf("%s: %d, %v, want %d", c.text, next, err, c.next)
			}
		})
	}
}

// Two members come to a topic of four partitions at the same moment and begin at the end. The second one finds what
// the first one has committed, and must not take its own partitions for new ones: it would go through their history.
func TestLatestForTheFirstMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(4)...)
		log := &logRange{first: 0, end: 1_000_000, count: 4}
		x := newBench(t, b, withLog(log), func(s *Settings) { s.Start = offsets.Latest })
		for p := range int32(4) {
			k := x.claim(orders(p))
			if next, err := x.start(k); next != 1_000_000 || err != nil {
				t.Errorf("partition %d starts at %d, %v", p, next, err)
			}
			k.Commit(at(1_000_001), true, nil) // and is at work before the next one starts
			synctest.Wait()
		}
		if log.asked != 1 {
			t.Errorf("the partitions were counted %d times", log.asked)
		}
		for p := range int32(4) {
			if got := b.committed(orders(p)); got != (block{1_000_001, encoded(t, metadata.Note{Partitions: 4})}) {
				t.Errorf("partition %d: committed %+v", p, got)
			}
		}
	})
}

// Partitions 4 and 5 are added later: what was produced to them before their claims started belongs to the group. So
// it does when all owners have changed since, and with a failure in between.
func TestLatestForAddedPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(6)...)
		log := &logRange{first: 0, end: 500, count: 4}
		latest := func(s *Settings) { s.Start = offsets.Latest }
		x := newBench(t, b, withLog(log), latest)
		for p := range int32(4) {
			if _, err := x.start(x.claim(orders(p))); err != nil {
				t.Fatal(err)
			}
		}
		x.Stop()
		log.count, log.end = 6, 10_000
		for range 3 { // owners
			x = newBench(t, b, withLog(log), latest)
			for p := range int32(4) {
				k := x.claim(orders(p))
				next, err := x.start(k)
				if err != nil || next < 500 {
					t.Fatalf("partition %d starts at %d, %v", p, next, err)
				}
				k.Commit(actors.Progress{Next: next, Attempt: 1}, true, nil)
				k.Commit(at(next+1), true, nil)
				if err := k.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			x.Stop()
		}
		x = newBench(t, b, withLog(log), latest)
		for _, p := range []int32{4, 5} {
			k := x.claim(orders(p))
			if next, err := x.start(k); next != 0 || err != nil {
				t.Errorf("partition %d starts at %d, %v", p, next, err)
			}
			k.Commit(at(1), true, nil)
			synctest.Wait()
		}
		if got := b.committed(orders(5)).meta; got != encoded(t, metadata.Note{Partitions: 4}) {
			t.Errorf("an added partition carries %q", got)
		}
		if !strings.Contains(x.logs.String(), "added after the group began") {
			t.Errorf("not logged: %s", x.logs)
		}
	})
}

// A group that was at work with another client, or from the beginning, has no number to tell new partitions by: it
// reads too much rather than too little.
func TestLatestForAGroupThatBeganOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(2)...)
		b.offsets[orders(0)] = block{70, "somebody else's"}
		x := newBench(t, b, withLog(&logRange{first: 50, end: 100, count: 2}), func(s *Settings) { s.Start = offsets.Latest })
		if next, err := x.start(x.claim(orders(1))); next != 50 || err != nil {
			t.Errorf("starts at %d, %v", next, err)
		}
	})
}

// The end is committed and acknowledged before the first record: else a crash would begin at a later end. Counting
// the partitions is tried again.
func TestLatestIsCommittedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.code = func(n int, _ place) sarama.KError {
			if n < 3 {
				return sarama.ErrOffsetsLoadInProgress
			}
			return sarama.ErrNoError
		}
		log := &logRange{end: 100, count: 1, topicErrs: []error{errors.New("no broker answers"), sarama.ErrUnknownTopicOrPartition}}
		x := newBench(t, b, withLog(log), func(s *Settings) { s.Start = offsets.Latest })
		next, err := x.start(x.claim(orders(0)))
		if next != 100 || err != nil || b.committed(orders(0)).offset != 100 {
			t.Errorf("starts at %d, %v, committed %+v", next, err, b.committed(orders(0)))
		}
		if d := time.Since(b.start); d != 600*ms {
			t.Errorf("after %v, want two counts and two commits in vain", d)
		}
	})
}

func TestCountingPartitionsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logRange{end: 100, topicErrs: []error{sarama.ErrTopicAuthorizationFailed}}
		x := newBench(t, newBroker(orders(0)), withLog(log), func(s *Settings) { s.Start = offsets.Latest })
		if _, err := x.start(x.claim(orders(0))); !errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
			t.Errorf("not authorised: %v", err)
		}
		for range 100 {
			log.topicErrs = append(log.topicErrs, errors.New("no broker answers"))
		}
		if _, err := x.claim(orders(0)).Start(short(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the end of the context: %v", err)
		}
	})
}
