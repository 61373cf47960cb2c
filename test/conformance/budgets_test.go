package conformance

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// TestBudgets: a partition for each budget, with records that fail as long as they are asked. Each step applies exactly as
// often, or as long, as its budget says; then the next one does, which skips.
func TestBudgets(t *testing.T) {
	t.Parallel()
	const (
		each = 4
		age  = 300 * time.Millisecond
		hint = 150 * time.Millisecond
	)
	k := cluster(t)
	soon := supervisor.Every(backoff)
	cases := []struct {
		budget string
		do     []supervisor.Directive
		fails  func(rec *consumer.Record) bool // nil: record 1 does, always
		wraps  func(error) error
		want   string // of the diary; empty: it is looked at below
	}{
		{
			budget: "Times",
			do:     []supervisor.Directive{supervisor.Retry(soon).Times(3), supervisor.Skip()},
			want:   "| 0#0 1#0 1#1 1#2 1#3 2#0 3#0",
		}, {
			budget: "Times, twice",
			do:     []supervisor.Directive{supervisor.Retry(soon).Times(2), supervisor.Restart(soon).Times(2), supervisor.Skip()},
			want:   "| 0#0 1#0 1#1 1#2 | 1#3 | 1#4 2#0 3#0",
		}, {
			budget: "Within", // whatever the record: the fourth failure of the partition is one too many, and so is the fifth
			do:     []supervisor.Directive{supervisor.Restart(soon).Within(3, time.Hour), supervisor.Skip()},
			fails:  func(rec *consumer.Record) bool { return rec.Attempt == 0 || rec.Offset == 1 && rec.Attempt == 1 },
			want:   "| 0#0 | 0#1 1#0 | 1#1 | 1#2 2#0 3#0",
		}, {
			budget: "For",
			do:     []supervisor.Directive{supervisor.Retry(supervisor.Every(20 * time.Millisecond)).For(age), supervisor.Skip()},
		}, {
			budget: "Directed", // the handler knows better than the table, which would end the consumer
			do:     []supervisor.Directive{supervisor.Escalate()},
			wraps: func(err error) error {
				return supervisor.Directed(err, supervisor.Retry(soon).Times(2), supervisor.Skip())
			},
			want: "| 0#0 1#0 1#1 1#2 2#0 3#0",
		}, {
			budget: "RetryAfter", // in the place of an hour
			do:     []supervisor.Directive{supervisor.Retry(supervisor.Every(time.Hour)).Times(2), supervisor.Skip()},
			wraps:  func(err error) error { return messages.RetryAfter(hint, err) },
			want:   "| 0#0 1#0 1#1 1#2 2#0 3#0",
		},
	}
	partitions := int32(len(cases))
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each)
	d := newDiary()
	cfg := k.config("a", group, topic)
	cfg.Policy = nil
	for _, c := range cases {
		cfg.Policy = append(cfg.Policy, supervisor.On(supervisor.Is(fails(c.budget)), c.do...))
	}
	cfg.Actor = d.actors(func(_ context.Context, rec *consumer.Record) error {
		c := cases[rec.Partition]
		var err error = fails(c.budget)
		if c.wraps != nil {
			err = c.wraps(err)
		}
		if c.fails == nil && rec.Offset == bad || c.fails != nil && c.fails(rec) {
			return err
		}
		return nil
	})
	a := start(t, "a", cfg)
	eventually(t, "all are committed", func() bool {
		at := k.committed(group, topic)
		return len(at) == len(cases) && slices.Equal(slices.Compact(slices.Collect(maps.Values(at))), []int64{each})
	})
	a.leave()
	failed := map[string][]*messages.Failed{}
	for _, f := range told[*messages.Failed](a) {
		c := cases[f.Failure.Partition].budget
		failed[c] = append(failed[c], f)
	}
	for p, c := range cases {
		if got := d.page(int32(p)); c.want != "" && got != c.want {
			t.Errorf("%s: delivered as %s, want %s", c.budget, got, c.want)
		}
		if last := failed[c.budget][len(failed[c.budget])-1].Decision; last.Action != messages.ActionSkip || last.Step != len(c.do)-1 && c.wraps == nil {
			t.Errorf("%s: in the end step %d was carried out, %v", c.budget, last.Step, last.Action)
		}
	}
	aged := failed["For"]
	for n, f := range aged {
		old := f.Failure.Last.Sub(f.Failure.First)
		if skips := f.Decision.Action == messages.ActionSkip; skips != (old >= age) || skips != (n == len(aged)-1) || f.Failure.Attempt != n {
			t.Errorf("For: failure %d of %d, attempt %d, after %v: %v", n+1, len(aged), f.Failure.Attempt, old, f.Decision.Action)
		}
	}
	if len(aged) < 2 {
		t.Errorf("For: %d failures", len(aged))
	}
	for p, c := range cases {
		if c.budget != "RetryAfter" {
			continue
		}
		at := d.times(int32(p))
		for n := 2; n <= 3; n++ { // 1#0 is the second delivery
			if gap := at[n].Sub(at[n-1]); gap < hint {
				t.Errorf("RetryAfter: delivered again after %v, want %v or more", gap, hint)
			}
		}
	}
}

// TestBudgetsGoWithTheRecord: a record is tried three times of four, and waits an hour for the fourth when its partition goes to
// another member. There it is tried once more, at once, and skipped: four times in all, whoever owns it. A second one is
// parked; its new owner knows after how many attempts and why, and does not try it.
func TestBudgetsGoWithTheRecord(t *testing.T) {
	t.Parallel()
	const each = 3
	k := cluster(t)
	topic := k.topic(2)
	group := "g-" + topic
	k.fill(topic, 2, 0, each)
	cfg := k.config("a", group, topic)
	soon := supervisor.Every(backoff)
	cfg.Policy = supervisor.Policy{
		supervisor.On(supervisor.Is(fails("0")), supervisor.Retry(soon).Times(2), supervisor.Retry(supervisor.Every(time.Hour)).Times(1), supervisor.Skip()),
		supervisor.On(supervisor.Is(fails("1")), supervisor.Retry(soon).Times(2), supervisor.Park("tried three times")),
		supervisor.On(supervisor.Any(), supervisor.Escalate()),
	}
	handle := func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == bad {
			return fails([]string{"0", "1"}[rec.Partition])
		}
		return nil
	}
	da, db := newDiary(), newDiary()
	cfg.Actor = da.actors(handle)
	a := start(t, "a", cfg)
	eventually(t, "one waits for its fourth attempt, and the other one is parked", func() bool {
		p := a.partitions()
		return p[0].State == messages.StateHolding && p[0].Attempt == 3 && p[1].State == messages.StateParked
	})
	a.leave()
	if at := k.committed(group, topic); at[0] != bad || at[1] != bad {
		t.Errorf("committed %v, want %d on both", at, bad)
	}
	cfg.Logger, cfg.Actor = k.journal.logger("b"), db.actors(handle)
	b := start(t, "b", cfg)
	eventually(t, "the first one is given up", func() bool { return k.committed(group, topic)[0] == each })
	eventually(t, "the second one is parked", func() bool {
		p, ok := b.partitions(messages.StateParked)[1]
		return ok && p.Head == bad && p.Attempt == 3 && p.Reason == "tried three times"
	})
	if at := k.committed(group, topic)[1]; at != bad {
		t.Errorf("committed %d, want %d", at, bad)
	}
	b.leave()
	for p, want := range [][2]string{{"| 0#0 1#0 1#1 1#2", "| 1#3 2#0"}, {"| 0#0 1#0 1#1 1#2", ""}} {
		if ga, gb := da.page(int32(p)), db.page(int32(p)); ga != want[0] || gb != want[1] {
			t.Errorf("partition %d: delivered to a as %s, to b as %s, want %s and %s", p, ga, gb, want[0], want[1])
		}
	}
}
