package conformance

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// teller is the actor of one topic's partitions. At one offset it panics.
type teller struct {
	bad     int64
	handled *atomic.Int32
}

func (a *teller) Receive(ctx actor.Context) {
	if rec, ok := ctx.Message().(*messages.Record); ok {
		if rec.Offset == a.bad {
			panic("the record breaks it")
		}
		a.handled.Add(1)
		rec.Complete(nil)
	}
}

// TestPerTopic: one member consumes three topics. Orders inherits the handler and the policy, which retries; the ledger has a
// handler and a table of its own, which parks; payments, which only PerTopic names, has an actor that is restarted, and a topic
// for its dead letters, which is made. All fail at the same offset, and none is in the way of another. The next owner has the
// same tables.
func TestPerTopic(t *testing.T) {
	const each, bad = 30, int64(11)
	k := cluster(t)
	orders, accounts, payments := k.topic(2), k.topic(2), k.topic(3)
	group, dlt := "g-"+orders, payments+".dlt"
	for _, topic := range []string{orders, accounts, payments} {
		k.fill(topic, 2, 0, each)
	}
	ordered, ledger := newLedger(2, each), newLedger(2, each)
	var incarnations, handled atomic.Int32
	config := func(member string) consumer.Config {
		fails := func(_ context.Context, rec *consumer.Record) error {
			if rec.Offset == bad && rec.Attempt == 0 {
				return errStumble
			}
			return nil
		}
		cfg := k.config(member, group, orders)
		cfg.CreateDeadLetterTopics = true
		cfg.Topics = append(cfg.Topics, accounts)
		cfg.Handler = ordered.keeps(member, fails)
		cfg.PerTopic = map[string]consumer.Topic{
			accounts: {
				Handler: ledger.keeps(member, fails),
				Policy:  supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("order is needed"))},
			},
			payments: {
				Actor: func() actor.Actor { incarnations.Add(1); return &teller{bad, &handled} },
				Policy: supervisor.Policy{supervisor.On(supervisor.Panic(),
					supervisor.Restart(supervisor.Every(backoff)).Times(1), supervisor.DeadLetter(dlt))},
			},
		}
		return cfg
	}
	parked := func(m *member) bool {
		heads := 0
		for _, p := range m.status().Partitions {
			if p.State == messages.StateParked && p.Claim.Topic == accounts && p.Head == bad && p.Attempt == 1 && p.Reason == "order is needed" {
				heads++
			}
		}
		return heads == 2
	}
	a := start(t, "a", config("a"))
	eventually(t, "orders and payments are through, and the ledger is parked", func() bool {
		at := k.committed(group, payments)
		return ordered.done() && at[0] == each && at[1] == each && incarnations.Load() >= 5 && parked(a)
	})
	if n := incarnations.Load(); n != 5 {
		t.Errorf("%d incarnations of the actors of three partitions, of which two were to be restarted once", n)
	}
	if !k.ready(dlt, 3) {
		t.Error("the topic for dead letters was not made as wide as the widest that is consumed, which only PerTopic names")
	}
	if n := handled.Load(); n != 2*(each-1) {
		t.Errorf("%d payments were handled, want %d", n, 2*(each-1))
	}
	for _, r := range k.letters(dlt, 2) {
		if header(r, "ottla-dlt-topic") != payments || header(r, "ottla-dlt-offset") != fmt.Sprint(bad) || header(r, "ottla-dlt-attempts") != "2" {
			t.Errorf("a letter with the headers %v", r.Headers)
		}
	}
	if n := len(told[*messages.DeadLettered](a)); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}
	a.leave()

	b := start(t, "b", config("b"))
	eventually(t, "the ledger is parked at the next owner", func() bool { return len(b.status().Partitions) == 7 && parked(b) })
	if calls := ledger.calls(by("b")); len(calls) > 0 {
		t.Errorf("while it was parked, b has handled %v", attempts(calls))
	}
	for p := range int32(2) {
		head := messages.Head{Topic: accounts, Partition: p, Offset: bad}
		if _, err := b.Do(t.Context(), &messages.RetryHead{Head: head, By: "the test"}); err != nil {
			t.Errorf("un-park: %v", err)
		}
	}
	eventually(t, "all of the ledger is processed", ledger.done)
	b.leave()
	if n := handled.Load(); n != 2*(each-1) || len(ordered.calls(by("b"))) != 0 {
		t.Errorf("records that were committed came again: %d payments were handled, and of orders %v", n, attempts(ordered.calls(by("b"))))
	}
	ordered.clean(t)
	ledger.clean(t)
}
