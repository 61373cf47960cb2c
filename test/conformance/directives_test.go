package conformance

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// fails has an error of its own, so that each partition of a scenario has its own rule.
type fails string

// Error is the rule that it is for.
func (f fails) Error() string { return string(f) }

// bad is the record of each partition that fails, in the scenarios below.
const bad = 1

// TestDirectives: a partition for each directive, with one record that fails, before it a good one and behind it another.
// Each is delivered exactly as often as its directive says, to as many incarnations of the partition's actor, and nothing
// else is delivered twice; in the end all is committed. What is parked is neither delivered nor committed past before an
// operator says so.
func TestDirectives(t *testing.T) {
	t.Parallel()
	const each = 3
	k := cluster(t)
	soon := supervisor.Every(backoff)
	dlt := name("dlt")
	cases := []struct {
		does  string
		step  supervisor.Directive
		times int // how often the record fails
		panic bool
		want  string // of the diary
	}{
		{does: "retry", step: supervisor.Retry(soon), times: 3, want: "| 0#0 1#0 1#1 1#2 1#3 2#0"},
		{does: "retry of a panic", step: supervisor.Retry(soon), times: 2, panic: true, want: "| 0#0 1#0 | 1#1 | 1#2 2#0"},
		{does: "restart", step: supervisor.Restart(soon), times: 3, want: "| 0#0 1#0 | 1#1 | 1#2 | 1#3 2#0"},
		{does: "restart of a panic", step: supervisor.Restart(soon), times: 1, panic: true, want: "| 0#0 1#0 | 1#1 2#0"},
		{does: "skip", step: supervisor.Skip(), times: 9, want: "| 0#0 1#0 2#0"},
		{does: "dead letter", step: supervisor.DeadLetter(dlt), times: 9, want: "| 0#0 1#0 2#0"},
		{does: "park", step: supervisor.Park("needs a human"), times: 1, want: "| 0#0 1#0 1#1 2#0"},
	}
	partitions, parked := int32(len(cases)), int32(len(cases)-1)
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each)
	d := newDiary()
	cfg := k.config("a", group, topic)
	cfg.CreateDeadLetterTopics, cfg.Policy = true, nil
	for _, c := range cases {
		cfg.Policy = append(cfg.Policy, supervisor.On(supervisor.Is(fails(c.does)), c.step))
	}
	cfg.Policy = append(cfg.Policy, supervisor.On(supervisor.Any(), supervisor.Escalate()))
	cfg.Actor = d.actors(func(_ context.Context, rec *consumer.Record) error {
		c := cases[rec.Partition]
		switch {
		case rec.Offset != bad || rec.Attempt >= c.times:
			return nil
		case c.panic:
			panic(fails(c.does))
		}
		return fails(c.does)
	})
	a := start(t, "a", cfg)
	eventually(t, "all but the parked one are committed", func() bool {
		at := k.committed(group, topic)
		for p := range parked {
			if at[p] != each {
				return false
			}
		}
		return at[parked] == bad && len(a.partitions(messages.StateParked)) == 1
	})
	if got := d.page(parked); got != "| 0#0 1#0" {
		t.Errorf("while it is parked it was delivered as %s", got)
	}
	a.do(&messages.RetryHead{Head: messages.Head{Topic: topic, Partition: parked, Offset: bad}, By: "ann"})
	eventually(t, "the parked one is committed", func() bool { return k.committed(group, topic)[parked] == each })
	status := a.status()
	a.leave()
	for p, c := range cases {
		if got := d.page(int32(p)); got != c.want {
			t.Errorf("%s: delivered as %s, want %s", c.does, got, c.want)
		}
		if got, want := a.incarnation(status, int32(p)), strings.Count(c.want, "|"); got != want {
			t.Errorf("%s: the status says incarnation %d, want %d", c.does, got, want)
		}
	}
	got := status.Counters
	want := messages.Counters{Handled: 19, Failed: 12, Retried: 3, Restarted: 6, Skipped: 1, DeadLettered: 1, Parked: 1, Commits: got.Commits}
	if got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if letter := k.letters(dlt, 1)[0]; letter.Partition != 5 || string(letter.Value) != "1" || header(letter, "ottla-dlt-attempts") != "1" {
		t.Errorf("the letter is %d@%d %q of %s attempts", letter.Partition, letter.Offset, letter.Value, header(letter, "ottla-dlt-attempts"))
	}
}

// incarnation is that of a partition's actor, as the status says.
func (m *member) incarnation(s *messages.Status, partition int32) int {
	for _, p := range s.Partitions {
		if p.Claim.Partition == partition {
			return p.Incarnation
		}
	}
	return 0
}

// TestDirectiveBreak: one record finds that what all need is away. Of the other partitions, which get records then, none is
// tried; the one is, as often as it fails and once more, and then all go on at once.
func TestDirectiveBreak(t *testing.T) {
	t.Parallel()
	const partitions, each, times = 4, 3, 4
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	d, away := newDiary(), newGate()
	defer away.release()
	cfg := k.config("a", group, topic)
	cfg.Policy = supervisor.Policy{
		supervisor.On(supervisor.Is(fails("away")), supervisor.Break(supervisor.Every(50*time.Millisecond))),
		supervisor.On(supervisor.Any(), supervisor.Escalate()),
	}
	var ended atomic.Int64 // when the probe succeeded
	cfg.Actor = d.actors(func(_ context.Context, rec *consumer.Record) error {
		switch {
		case rec.Partition > 0 || rec.Offset != bad:
			return nil
		case rec.Attempt < times:
			return fails("away")
		}
		<-away.open
		ended.Store(time.Now().UnixNano())
		return nil
	})
	a := start(t, "a", cfg)
	a.owns(partitions)
	k.produceTo(topic, 0, 0, each)
	eventually(t, "the breaker is open", func() bool { return a.status().Breaker != "" })
	for p := int32(1); p < partitions; p++ {
		k.produceTo(topic, p, 0, each)
	}
	eventually(t, "all others hold for it, and the probe is with its actor again", func() bool {
		hold := a.partitions(messages.StateHolding)
		for p := int32(1); p < partitions; p++ {
			if hold[p].Reason != messages.ReasonBreaker || hold[p].Depth != each {
				return false
			}
		}
		return strings.HasSuffix(d.page(0), " 1#4")
	})
	for p := int32(1); p < partitions; p++ {
		if got := d.page(p); got != "" {
			t.Errorf("while the breaker was open, partition %d was given %s", p, got)
		}
	}
	away.release()
	eventually(t, "all are committed", func() bool {
		at := k.committed(group, topic)
		return len(at) == partitions && slices.Equal(slices.Compact(slices.Collect(maps.Values(at))), []int64{each})
	})
	counted := a.status().Counters
	a.leave()
	for p := range int32(partitions) {
		want := "| 0#0 1#0 2#0"
		if p == 0 {
			want = "| 0#0 1#0 1#1 1#2 1#3 1#4 2#0"
		}
		if got := d.page(p); got != want {
			t.Errorf("partition %d was given %s, want %s", p, got, want)
		}
		if first := d.times(p)[0]; p > 0 && first.UnixNano() < ended.Load() {
			t.Errorf("partition %d went on before the probe had succeeded", p)
		}
	}
	if opened, closed := len(told[*messages.BreakerOpened](a)), len(told[*messages.BreakerClosed](a)); opened != 1 || closed != 1 || counted.Breaks != times {
		t.Errorf("opened %d times, closed %d times, %d failures; want 1, 1 and %d", opened, closed, counted.Breaks, times)
	}
}
