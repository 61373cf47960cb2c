package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

func TestRetryForEverWithTheDefaultDelays(t *testing.T) {
	boom := func(context.Context, *messages.Record) error { return errBoom }
	consumertest.Run(t, config{Handler: boom}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		k.Advance(100 * time.Hour)
		const s = time.Second
		want := []time.Duration{0, 10 * s, 110 * s, 1110 * s}
		for i := 4; i < 103; i++ {
			want = append(want, 1110*s+time.Duration(i-3)*time.Hour)
		}
		var got []time.Duration
		for i, d := range p.Deliveries() {
			got = append(got, d.At)
			if d.Offset != 0 || d.Attempt != i || d.Incarnation != 1 {
				t.Fatalf("delivery %d: %+v", i, d)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("delivered at %v\nwant %v", got, want)
		}
		s0 := p.Status()
		expect(t, "state", s0.State, messages.StateHolding)
		expect(t, "attempt that is due", s0.Attempt, 103)
		expect(t, "failed", s0.Counters.Failed, 103)
		expect(t, "next retry", time.Until(s0.NextRetry), want[102]+time.Hour-k.Now())
	})
}

// tally is an actor whose state is how many records it has seen.
type tally struct {
	seen int
	on   func(seen int, r *messages.Record) error
}

func (a *tally) Receive(ctx actor.Context) {
	if r, ok := ctx.Message().(*messages.Record); ok {
		a.seen++
		r.Complete(a.on(a.seen, r))
	}
}

func TestRetryKeepsTheStateAndRestartMakesItAnew(t *testing.T) {
	for name, c := range map[string]struct {
		do         supervisor.Directive
		panics     bool
		state      []int
		deliveries string
	}{
		"retry":               {supervisor.Retry(every(time.Second)), false, []int{1, 2, 3, 4}, "0#0/1 1#0/1 1#1/1 2#0/1"},
		"restart":             {supervisor.Restart(every(time.Second)), false, []int{1, 2, 1, 2}, "0#0/1 1#0/1 1#1/2 2#0/2"},
		"retry after a panic": {supervisor.Retry(every(time.Second)), true, []int{1, 2, 1, 2}, "0#0/1 1#0/1 1#1/2 2#0/2"},
	} {
		t.Run(name, func(t *testing.T) {
			var state []int
			producer := func() actor.Actor {
				return &tally{on: func(seen int, r *messages.Record) error {
					state = append(state, seen)
					if r.Offset == 1 && r.Attempt == 0 {
						if c.panics {
							panic("boom")
						}
						return errBoom
					}
					return nil
				}}
			}
			consumertest.Run(t, config{Actor: producer, Policy: always(c.do)}, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b", "c")
				expect(t, "before the delay", len(p.Deliveries()), 2)
				k.Advance(time.Second)
				expect(t, "deliveries", attempts(p), c.deliveries)
				if !slices.Equal(state, c.state) {
					t.Errorf("state %v, want %v", state, c.state)
				}
				expect(t, "committed", p.Committed(), 3)
			})
		})
	}
}

func TestSkip(t *testing.T) {
	cfg := config{Handler: failOn(1, 9, consumertest.Fail(errBoom)), Policy: always(supervisor.Skip())}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 2#0/1")
		expect(t, "committed", p.Committed(), 3)
		c := p.Status().Counters
		expect(t, "counters", c, messages.Counters{Handled: 2, Failed: 1, Skipped: 1, Commits: c.Commits})
		skipped := eventsOf[*messages.Skipped](k)
		if len(skipped) != 1 || skipped[0].Head != p.Head(1) || skipped[0].By != "any failure" {
			t.Errorf("events %+v", skipped)
		}
		if !logged(k, "Assigned Kafka message failed", `offset="1"`, `action="Skip"`) {
			t.Error("the skip is not in the log")
		}
	})
}

func TestParkStandsUntilSomebodyActs(t *testing.T) {
	cfg := config{Handler: failOn(1, 1, consumertest.Fail(errBoom)), Policy: always(supervisor.Park("customer is not known yet"))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, other := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Append("a", "b", "c")
		k.Advance(1000 * time.Hour)
		other.Append("x")
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1")
		expect(t, "another partition's", attempts(other), "0#0/1")
		s := p.Status()
		expect(t, "state", s.State, messages.StateParked)
		expect(t, "reason", s.Reason, "customer is not known yet")
		expect(t, "head", s.Head, 1)
		expect(t, "counted", s.Counters.Parked, 1)
		expect(t, "still ready", k.Status().Health.Ready, true)
		if err := p.Retry(1); err != nil {
			t.Fatal(err)
		}
		expect(t, "after the un-park", attempts(p), "0#0/1 1#0/1 1#1/1 2#0/1")
		expect(t, "committed", p.Committed(), 3)
		parked, unparked := eventsOf[*messages.Parked](k), eventsOf[*messages.Unparked](k)
		if len(parked) != 1 || parked[0].Head != p.Head(1) || len(unparked) != 1 || unparked[0].By != "test" {
			t.Errorf("parked %v, unparked %v", parked, unparked)
		}
	})
}

// A step has a budget; when it is spent the next one applies, and a success begins anew.
func TestStepsAndBudgetsArePerRecord(t *testing.T) {
	handler := func(_ context.Context, r *messages.Record) error {
		if r.Attempt < 2 || r.Offset == 2 {
			return errBoom
		}
		return nil
	}
	cfg := config{Handler: handler, Policy: always(supervisor.Retry(every(time.Second)).Times(2), supervisor.Park("enough"))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "0#0/1 0#1/1 0#2/1 1#0/1 1#1/1 1#2/1 2#0/1 2#1/1 2#2/1")
		expect(t, "state", p.Status().State, messages.StateParked)
	})
}

func TestAttemptsAndParkAreCarriedOver(t *testing.T) {
	boom := func(context.Context, *messages.Record) error { return errBoom }
	cfg := config{Handler: boom, Policy: always(supervisor.Retry(every(time.Hour)).Times(3), supervisor.Park("enough"))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		first := k.Assign("orders", 0)
		first.Append("a")
		k.Advance(90 * time.Minute)
		expect(t, "first", attempts(first), "0#0/1 0#1/1")
		expect(t, "release took", first.Revoke(), 0)
		second := k.Assign("orders", 0) // tries at once
		expect(t, "second", attempts(second), "0#2/1")
		k.Advance(time.Hour)
		expect(t, "second", attempts(second), "0#2/1 0#3/1")
		expect(t, "second's state", second.Status().State, messages.StateParked)
		second.Revoke()
		third := k.Assign("orders", 0) // begins parked, and does not try
		k.Advance(time.Hour)
		s := third.Status()
		expect(t, "third", attempts(third), "")
		expect(t, "third's state", s.State, messages.StateParked)
		expect(t, "third's reason", s.Reason, "enough")
		expect(t, "third's attempt", s.Attempt, 4)
		if err := third.Retry(0); err != nil {
			t.Fatal(err)
		}
		expect(t, "third", attempts(third), "0#4/1")
		expect(t, "committed", third.Committed(), 0)
	})
}

func TestEscalateDrainsLeavesAndThenFails(t *testing.T) {
	handler := func(ctx context.Context, r *messages.Record) error {
		if r.Partition == 1 {
			return consumertest.Work(5*time.Second)(ctx, r)
		}
		return failOn(1, 9, consumertest.Fail(errBoom))(ctx, r)
	}
	cfg := config{Handler: handler, Policy: always(supervisor.Retry(every(time.Second)).Times(1), supervisor.Escalate())}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, busy := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Append("a", "b", "c")
		k.Advance(500 * time.Millisecond)
		busy.Append("x", "y")
		k.Advance(time.Second) // it drains
		expect(t, "counted", k.Status().Counters.Escalated, 1)
		err := k.Wait()
		var escalated *messages.EscalatedError
		if !errors.As(err, &escalated) || !errors.Is(err, errBoom) {
			t.Fatalf("ended with %v", err)
		}
		f := escalated.Failure
		expect(t, "where", f.Where(), "orders/0@1")
		expect(t, "attempt", f.Attempt, 1)
		expect(t, "class", f.Class, messages.ClassHandler)
		expect(t, "a handler in flight was waited for", k.Now(), 5500*time.Millisecond)
		expect(t, "its record", busy.Committed(), 1)
		expect(t, "records before the failing one", p.Committed(), 1)
		expect(t, "left", p.Owned() || busy.Owned(), false)
		// The record stays for the next owner, who tries it again: an escalation is no park.
		if c := lastCommit(t, p); c.Next != 1 || c.Attempt != 2 || c.Parked {
			t.Errorf("last commit %+v", c)
		}
	})
}
