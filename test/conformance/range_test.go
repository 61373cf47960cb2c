package conformance

import (
	"context"
	"slices"
	"testing"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// TestOffsetsOvertakenByRetention: records wait behind a head that stands; retention removes some that were not fetched
// yet. Other clients jump to where auto.offset.reset says, in mid-stream and without a word, and count it as read. The
// partition says so and goes on where it was told to, or parks in front of the gap until somebody skips it.
func TestOffsetsOvertakenByRetention(t *testing.T) {
	const each, kept = 4000, 10
	for _, choice := range []consumer.Choice{consumer.Fail, consumer.Earliest, consumer.Latest} {
		t.Run(choice.String(), func(t *testing.T) {
			k := cluster(t)
			topic := k.topic(1)
			group := "g-" + topic
			for n := 0; n < each; n += 50 { // in many batches: one comes whole
				k.fill(topic, 1, n, n+50)
			}
			g := newGate()
			defer g.release()
			var got seen
			cfg := k.config("a", group, topic)
			cfg.Offsets.OutOfRange = choice
			cfg.Backlog.Records = 100
			cfg.Fetch.PartitionBytes = 4 << 10
			cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
				<-g.open
				return got.handle(ctx, rec)
			}
			a := start(t, "a", cfg)
			eventually(t, "the backlog is full", func() bool { return a.partitions()[0].Depth >= 100 })
			k.deleteBelow(topic, 0, each-kept)
			g.release()
			to := int64(each - kept)
			switch choice {
			case consumer.Fail:
				head := parkedAt(t, a)
				if all := got.all(); !slices.Equal(all, span(0, head)) {
					t.Errorf("parked at %d behind %d records", head, len(all))
				}
				eventually(t, "what is in front of the gap is committed", func() bool { return k.committed(group, topic)[0] == head })
				skip(t, a, topic, head)
			case consumer.Latest:
				to = each
				eventually(t, "it has moved", func() bool { return len(told[*messages.Moved](a)) > 0 })
			}
			k.fill(topic, 1, each, each+5)
			eventually(t, "the end is reached", func() bool { all := got.all(); return len(all) > 0 && all[len(all)-1] == each+5-1 })
			a.leave()
			all := got.all()
			head := int64(len(all)) - (each + 5 - to)
			if head < 100 || head >= each-kept || !slices.Equal(all, append(span(0, head), span(to, each+5)...)) {
				t.Errorf("handled %d records %v … %v, want some from the beginning and those from %d on", len(all), all[:min(5, len(all))], all[max(0, len(all)-kept-7):], to)
			}
			moved := told[*messages.Moved](a)
			if len(moved) != 1 || moved[0].From != head || moved[0].To != to {
				t.Errorf("moved %+v, want once, from %d to %d", moved, head, to)
			}
		})
	}
}

// TestOffsetsBeyondTheEnd: what is committed lies behind the end of the log, as after a topic was restored from an older copy.
// Whoever waits there reads nothing, and then jumps over what is produced up to it. The partition says so and goes on where it
// was told to, or parks.
func TestOffsetsBeyondTheEnd(t *testing.T) {
	const each, beyond = 20, 100
	for _, c := range []struct {
		choice consumer.Choice
		want   []int64
	}{
		{consumer.Fail, nil},
		{consumer.Earliest, span(0, each+5)},
		{consumer.Latest, span(each, each+5)},
	} {
		t.Run(c.choice.String(), func(t *testing.T) {
			k := cluster(t)
			topic := k.topic(1)
			group := "g-" + topic
			k.fill(topic, 1, 0, each)
			k.commit(group, topic, map[int32]int64{0: beyond})
			var got seen
			cfg := k.config("a", group, topic)
			cfg.Offsets.OutOfRange = c.choice
			cfg.Handler = got.handle
			a := start(t, "a", cfg)
			a.owns(1)
			k.fill(topic, 1, each, each+5)
			if c.choice == consumer.Fail {
				if head := parkedAt(t, a); head != beyond {
					t.Errorf("parked at %d, want %d", head, beyond)
				}
			} else {
				eventually(t, "the rest is processed", func() bool { return len(got.all()) >= len(c.want) })
				if moved := told[*messages.Moved](a); len(moved) != 1 || moved[0].From != beyond || moved[0].To != c.want[0] {
					t.Errorf("moved %+v, want once, from %d to %d", moved, beyond, c.want[0])
				}
			}
			a.leave()
			if !slices.Equal(got.all(), c.want) {
				t.Errorf("handled %v, want %v", got.all(), c.want)
			}
			if at := k.committed(group, topic)[0]; c.choice == consumer.Fail && at != beyond {
				t.Errorf("committed %d while it is parked, want %d", at, beyond)
			}
		})
	}
}

// parkedAt waits until the only partition is parked without a record, and says where. A status says so as soon as it cannot
// be read, and an operator can skip from then on, also while it is looked up whether it stays so.
func parkedAt(t *testing.T, m *member) (head int64) {
	t.Helper()
	eventually(t, "the partition parks", func() bool { return len(m.partitions(messages.StateParked)) == 1 })
	p := m.partitions()[0]
	if p.Reason == "" {
		t.Error("it does not say why")
	}
	return p.Head
}

// skip has a parked partition go on behind the gap.
func skip(t *testing.T, m *member, topic string, head int64) {
	t.Helper()
	if _, err := m.Do(t.Context(), &messages.SkipHead{Head: messages.Head{Topic: topic, Offset: head}, By: "the test"}); err != nil {
		t.Errorf("skip: %v", err)
	}
}
