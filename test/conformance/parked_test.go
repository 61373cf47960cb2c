package conformance

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// shedAfter is when a park of these scenarios is a long one.
const shedAfter = 200 * time.Millisecond

// TestParkedForLongShedsItsTail: a partition parks again and again, each time for so long that what was fetched behind
// its head is dropped from memory; an operator has it go on, which fetches that again. Meanwhile records keep coming, and
// the neighbour runs on. Nothing is lost, nothing is handled twice, and the order is kept.
func TestParkedForLongShedsItsTail(t *testing.T) {
	const each, every = 3000, 500
	k := cluster(t)
	topic := k.topic(2)
	group := "g-" + topic
	k.fill(topic, 2, 0, each/2)
	l := newLedger(2, each)
	cfg := k.config("a", group, topic)
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("needs a human"))}
	cfg.Backlog.ShedAfter = shedAfter
	cfg.Backlog.Records = 700 // less than the log holds
	cfg.Fetch.PartitionBytes = 8 << 10
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Partition == 0 && rec.Offset%every == 2 && rec.Attempt == 0 {
			return errStumble
		}
		return nil
	})
	a := start(t, "a", cfg)
	for head := int64(2); head < each; head += every {
		eventually(t, "it is parked, and its tail was shed", func() bool {
			p, ok := a.partitions(messages.StateParked)[0]
			return ok && p.Head == head && p.Shed > 0
		})
		p := a.partitions()[0]
		if p.Depth != 1 || p.Bytes > 1000 || p.ShedFrom != head+1 || p.Shed > each || p.Attempt != 1 {
			t.Errorf("parked at %d: depth %d, %d bytes, %d shed from %d, attempt %d", head, p.Depth, p.Bytes, p.Shed, p.ShedFrom, p.Attempt)
		}
		if head == 2 {
			k.fill(topic, 2, each/2, each)
			eventually(t, "the neighbour runs on", func() bool { return l.next(1) == each })
		}
		if at := k.committed(group, topic)[0]; at != head {
			t.Errorf("committed %d while it is parked, want %d", at, head)
		}
		cmd := &messages.RetryHead{Head: messages.Head{Topic: topic, Partition: 0, Offset: head}, By: "the test"}
		if _, err := a.Do(t.Context(), cmd); err != nil {
			t.Errorf("un-park: %v", err)
		}
	}
	eventually(t, "all are processed", l.done)
	a.leave()
	l.clean(t)
	if at := k.committed(group, topic); at[0] != each || at[1] != each {
		t.Errorf("committed %v, want %d on both", at, each)
	}
	if sheds, moved := told[*messages.Shed](a), told[*messages.Moved](a); len(sheds) != each/every || len(moved) != 0 {
		t.Errorf("%d sheds, want %d; moved %+v, want nothing", len(sheds), each/every, moved)
	}
}

// TestParkedForLongOvertakenByRetention: while a partition is parked, retention deletes its head, and what was shed behind
// it. The head is in memory and is handled; where the log does not go on, the partition goes where Offsets.OutOfRange
// says, or parks with the reason, and an event tells of it. Its next owner, who has no head, does the same.
func TestParkedForLongOvertakenByRetention(t *testing.T) {
	const each, start0, head = 60, 40, int64(5)
	for _, c := range []struct {
		name   string
		choice consumer.Choice
		rest   []int64 // behind the head
	}{
		{"Earliest", consumer.Earliest, span(start0, each)},
		{"Latest", consumer.Latest, nil},
		{"Fail", consumer.Fail, span(start0, each)}, // once an operator has skipped
	} {
		t.Run(c.name, func(t *testing.T) {
			k := cluster(t)
			topic := k.topic(1)
			group := "g-" + topic
			k.fill(topic, 1, 0, each)
			var cured atomic.Bool
			var got seen
			cfg := k.config("a", group, topic)
			cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("needs a human"))}
			cfg.Backlog.ShedAfter = shedAfter
			cfg.Offsets.OutOfRange = c.choice
			cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
				if rec.Offset == head && !cured.Load() {
					return errStumble
				}
				return got.handle(ctx, rec)
			}
			a := start(t, "a", cfg)
			eventually(t, "it is parked, and its tail was shed", func() bool { return a.partitions(messages.StateParked)[0].Shed > 0 })
			k.deleteBelow(topic, 0, start0)
			cured.Store(true)
			do := func(m *member, cmd messages.Command) {
				t.Helper()
				if _, err := m.Do(t.Context(), cmd); err != nil {
					t.Errorf("%T: %v", cmd, err)
				}
			}
			do(a, &messages.RetryHead{Head: messages.Head{Topic: topic, Offset: head}, By: "the test"})
			if c.choice == consumer.Fail {
				eventually(t, "it parks at what was shed, because of the source", func() bool {
					p := a.partitions(messages.StateParked)[0]
					return p.Head == head+1 && p.Reason != "" && p.Failure != nil && p.Failure.Class == messages.ClassSource
				})
				do(a, &messages.SkipHead{Head: messages.Head{Topic: topic, Offset: head + 1}, By: "the test"})
			}
			eventually(t, "it has moved", func() bool { return len(told[*messages.Moved](a)) > 0 })
			want := append(span(0, head+1), c.rest...)
			to := int64(each)
			if len(c.rest) > 0 {
				to = c.rest[0]
			}
			k.fill(topic, 1, each, each+5)
			want = append(want, span(each, each+5)...)
			eventually(t, "the end is reached", func() bool { return len(got.all()) >= len(want) })
			a.leave()
			if !slices.Equal(got.all(), want) {
				t.Errorf("handled %v, want %v", got.all(), want)
			}
			if moved := told[*messages.Moved](a); len(moved) != 1 || moved[0].From != head+1 || moved[0].To != to {
				t.Errorf("moved %+v, want once, from %d to %d", moved, head+1, to)
			}
			if at := k.committed(group, topic)[0]; at != each+5 {
				t.Errorf("committed %d, want %d", at, each+5)
			}
		})
	}
}

// TestParkedForLongNextOwner: a partition whose tail was shed goes to another member, parked; retention deletes its head
// on the way. The next owner finds that the committed offset is not in the log, and does what it was told to.
func TestParkedForLongNextOwner(t *testing.T) {
	const each, head, start0 = 60, int64(5), 20
	k := cluster(t)
	topic := k.topic(1)
	group := "g-" + topic
	k.fill(topic, 1, 0, each)
	var got seen
	cfg := k.config("a", group, topic)
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("needs a human"))}
	cfg.Backlog.ShedAfter = shedAfter
	cfg.Offsets.OutOfRange = consumer.Earliest
	cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
		if rec.Offset == head {
			return errStumble
		}
		return got.handle(ctx, rec)
	}
	a := start(t, "a", cfg)
	eventually(t, "it is parked, and its tail was shed", func() bool { return a.partitions(messages.StateParked)[0].Shed > 0 })
	a.leave()
	if at := k.committed(group, topic)[0]; at != head {
		t.Errorf("committed %d, want %d", at, head)
	}
	cfg.Logger = k.journal.logger("b")
	b := start(t, "b", cfg)
	eventually(t, "it is parked at the next owner, and its tail was shed", func() bool { return b.partitions(messages.StateParked)[0].Shed == each-1-int(head) })
	b.leave()
	k.deleteBelow(topic, 0, start0)
	cfg.Logger = k.journal.logger("c")
	c := start(t, "c", cfg)
	want := append(span(0, head), span(start0, each)...)
	eventually(t, "the rest is processed", func() bool { return len(got.all()) >= len(want) })
	c.leave()
	if !slices.Equal(got.all(), want) {
		t.Errorf("handled %v, want %v", got.all(), want)
	}
	if moved := told[*messages.Moved](c); len(moved) != 1 || moved[0].From != head || moved[0].To != start0 {
		t.Errorf("moved %+v, want once, from %d to %d", moved, head, start0)
	}
}
