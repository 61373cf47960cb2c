package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// fails is a handler that fails until the record was tried so often.
func fails(times int, err error) consumer.Handler {
	return func(_ context.Context, r *messages.Record) error {
		if r.Attempt < times {
			return err
		}
		return nil
	}
}

// journal is an actor with a state that a restart loses, and that some records break.
type journal struct {
	seen int
	told *[]string
}

func (b *journal) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Assigned:
		*b.told = append(*b.told, "assigned")
	case *messages.Revoked:
		*b.told = append(*b.told, "revoked")
	case *messages.Record:
		b.seen++
		*b.told = append(*b.told, fmt.Sprintf("%s, %d seen", m, b.seen))
		if string(m.Value) == "bad" {
			panic(errBoom)
		}
		m.Complete(nil)
	}
}

// One topic's handler retries, the other's actor restarts and has its record dead-lettered; a third inherits. Each failure is
// decided by its own topic's table.
func TestPerTopicHandlerActorAndPolicy(t *testing.T) {
	var told, hooked []string
	hook := func(whose string) func(context.Context, messages.Claim) error {
		return func(_ context.Context, c messages.Claim) error {
			hooked = append(hooked, whose+c.Topic)
			return nil
		}
	}
	cfg := config{
		Topics:  []string{"refunds", "payments"}, // payments is in both
		Handler: fails(1, errBoom),
		Policy:  always(supervisor.Retry(every(time.Hour))),
		Hooks:   consumer.Hooks{Assigned: hook("all: ")},
		PerTopic: map[string]consumer.Topic{
			"orders": {Handler: fails(2, errOther), Policy: always(supervisor.Retry(every(time.Second)))},
			"clicks": {Hooks: consumer.Hooks{Assigned: hook("its own: ")}},
			"payments": {
				Actor: func() actor.Actor { return &journal{told: &told} },
				Policy: supervisor.Policy{supervisor.On(supervisor.Panic(),
					supervisor.Restart(every(10*time.Second)).Times(1), supervisor.DeadLetter("payments.dlt"))},
			},
		},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		orders, payments, refunds := k.Assign("orders", 0), k.Assign("payments", 0), k.Assign("refunds", 0)
		orders.Append("a", "b")
		payments.Append("good", "bad", "good")
		refunds.Append("a")
		k.Assign("clicks", 0)
		k.Advance(time.Minute)
		expect(t, "orders", deliveredAt(orders), "0#0@0s 0#1@1s 0#2@2s 1#0@2s 1#1@3s 1#2@4s")
		expect(t, "payments", attempts(payments), "0#0/1 1#0/1 1#1/2 2#0/2")
		expect(t, "refunds", deliveredAt(refunds), "0#0@0s")
		expect(t, "refunds hold", refunds.Status().State, messages.StateHolding)
		for p, want := range map[*partition]int64{orders: 2, payments: 3, refunds: 0} {
			expect(t, fmt.Sprint("committed of ", p.Claim()), p.Committed(), want)
		}
		all := k.DeadLetters()
		if len(all) != 1 || all[0].To != "payments.dlt" || all[0].Record.String() != "payments/0@1" || all[0].Rule != "panic" {
			t.Errorf("dead letters %+v", all)
		}
		payments.Revoke()
		if want := []string{
			"assigned", "payments/0@0, 1 seen", "payments/0@1, 2 seen", "assigned", "payments/0@1, 1 seen", "payments/0@2, 2 seen", "revoked",
		}; !slices.Equal(told, want) {
			t.Errorf("the actor was told %q, want %q", told, want)
		}
		if want := []string{"all: orders", "all: refunds", "its own: clicks"}; !slices.Equal(hooked, want) { // a handler of a topic's own has the hooks, an actor not
			t.Errorf("hooked %q, want %q", hooked, want)
		}
		if f := orders.Failures(); !slices.ContainsFunc(f, func(f *messages.Failed) bool { return errors.Is(f.Failure.Err, errOther) }) {
			t.Errorf("orders failed with %v", f)
		}
	})
}

// What one topic's table parks leaves the other topic alone, though both run the same handler and fail with the same.
func TestPerTopicParkLeavesTheOtherAlone(t *testing.T) {
	cfg := config{
		Handler: poison,
		PerTopic: map[string]consumer.Topic{
			"ledger": {Policy: always(supervisor.Park("order is needed"))},
			"clicks": {Policy: always(supervisor.Skip())},
		},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		ledger, other, clicks := k.Assign("ledger", 0), k.Assign("ledger", 1), k.Assign("clicks", 0)
		for _, p := range []*partition{ledger, clicks} {
			p.Append("a", "bad", "b")
		}
		other.Append("a", "b")
		k.Advance(24 * time.Hour)
		expect(t, "ledger is", ledger.Status().State, messages.StateParked)
		expect(t, "ledger", attempts(ledger), "0#0/1 1#0/1")
		expect(t, "its neighbour", attempts(other), "0#0/1 1#0/1")
		expect(t, "clicks", attempts(clicks), "0#0/1 1#0/1 2#0/1")
		expect(t, "skipped", clicks.Status().Counters.Skipped, 1)
		expect(t, "un-park", ledger.Retry(1), nil)
		expect(t, "and it is parked again", attempts(ledger), "0#0/1 1#0/1 1#1/1")
		expect(t, "ledger is", ledger.Status().State, messages.StateParked)
	})
}

// The n-th rule of one table is not the n-th rule of another: what was spent of one is whole in the other, per record and per
// partition.
func TestPerTopicBudgetsAreCountedApart(t *testing.T) {
	table := func(times int) supervisor.Policy {
		return always(supervisor.Retry(every(time.Second)).Times(times),
			supervisor.Restart(every(time.Second)).Within(times, time.Hour), supervisor.Park("spent"))
	}
	cfg := config{
		Handler:  fails(100, errBoom),
		Policy:   table(1),
		PerTopic: map[string]consumer.Topic{"orders": {Policy: table(2)}, "payments": {Policy: table(3)}},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		ps := []*partition{k.Assign("refunds", 0), k.Assign("orders", 0), k.Assign("payments", 0), k.Assign("orders", 1)}
		for _, p := range ps {
			p.Append("a")
		}
		k.Advance(time.Minute)
		for i, n := range []int{1, 2, 3, 2} {
			var got []string
			for _, d := range ps[i].Decisions() {
				got = append(got, d.Action.String())
			}
			want := append(slices.Repeat([]string{"Retry"}, n), slices.Repeat([]string{"Restart"}, n)...)
			if want = append(want, "Park"); !slices.Equal(got, want) {
				t.Errorf("%v: %v, want %v", ps[i].Claim(), got, want)
			}
		}
	})
}

// Times and rates are each topic's own, and what it does not say is the Config's; what is stuck is looked for as often as the
// shortest time asks for.
func TestPerTopicTimesAndRates(t *testing.T) {
	cfg := config{
		Handler: consumer.Handler(consumertest.UntilCancelled()), HandlerTimeout: time.Hour, StuckAfter: 24 * time.Hour,
		Policy: always(supervisor.Park("over")),
		PerTopic: map[string]consumer.Topic{
			"quick":   {HandlerTimeout: time.Second},
			"hangs":   {Handler: consumertest.Script(consumertest.Block()), StuckAfter: time.Minute, HandlerTimeout: 1000 * time.Hour},
			"limited": {Handler: consumertest.Script(), Limit: consumer.Limit{PerSecond: 1, Burst: 1}},
			"free":    {Handler: consumertest.Script()},
		},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		quick, rest, hangs := k.Assign("quick", 0), k.Assign("rest", 0), k.Assign("hangs", 0)
		limited, free := k.Assign("limited", 0), k.Assign("free", 0)
		for _, p := range []*partition{quick, rest, hangs, limited, free} {
			p.Append("a", "b", "c")
		}
		expect(t, "limited", attempts(limited), "0#0/1")
		expect(t, "not limited", attempts(free), "0#0/1 1#0/1 2#0/1")
		k.Advance(2 * time.Second)
		expect(t, "limited", deliveredAt(limited), "0#0@0s 1#0@1s 2#0@2s")
		expect(t, "after a second", quick.Status().State, messages.StateParked)
		if f := quick.Failures(); len(f) != 1 || f[0].Failure.Class != messages.ClassTimeout {
			t.Errorf("after a second: %v, want one timeout", f)
		}
		k.Advance(90 * time.Second)
		expect(t, "what hangs", hangs.Status().State, messages.StateStuck)
		if e := eventsOf[*messages.Stuck](k); len(e) != 1 || e[0].Claim.Topic != "hangs" {
			t.Errorf("stuck: %+v", e)
		}
		k.Advance(57 * time.Minute)
		expect(t, "before an hour", rest.Status().State, messages.StateBusy)
		k.Advance(2 * time.Minute)
		expect(t, "after an hour", rest.Status().State, messages.StateParked)
		k.Advance(23 * time.Hour)
		expect(t, "stuck others", slices.ContainsFunc(eventsOf[*messages.Stuck](k), func(e *messages.Stuck) bool { return e.Claim.Topic != "hangs" }), false)
	})
}

// The breaker is the consumer's: a topic whose table opens it has the others hold, too.
func TestPerTopicBreakerIsForAll(t *testing.T) {
	var d downstream
	d.away.Store(true)
	cfg := config{
		Handler: consumertest.Script(),
		PerTopic: map[string]consumer.Topic{
			"orders": {Handler: d.handle, Policy: breaks(10 * time.Second)},
		},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		orders, refunds := k.Assign("orders", 0), k.Assign("refunds", 0)
		orders.Append("a")
		refunds.Append("a")
		expect(t, "refunds", attempts(refunds), "")
		d.away.Store(false)
		k.Advance(10 * time.Second)
		expect(t, "orders", deliveredAt(orders), "0#0@0s 0#1@10s")
		expect(t, "refunds", deliveredAt(refunds), "0#0@10s")
	})
}

// A plain strategy decides about every topic, whatever handles its records.
func TestPerTopicUnderAStrategy(t *testing.T) {
	var told []string
	cfg := config{
		Handler:  poison,
		Strategy: actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.ResumeDirective }),
		PerTopic: map[string]consumer.Topic{"payments": {Actor: func() actor.Actor { return &journal{told: &told} }}},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		for _, topic := range []string{"orders", "payments"} {
			p := k.Assign(topic, 0)
			p.Append("bad", "good")
			expect(t, topic, p.Committed(), 2)
		}
		expect(t, "the actor", fmt.Sprint(told), "[assigned payments/0@0, 1 seen payments/0@1, 2 seen]")
	})
}
