package supervisor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// ponderousStore needs time to advance.
type ponderousStore struct {
	consumertest.Store
	takes time.Duration
}

func (s *ponderousStore) Advance(ctx context.Context, c messages.Claim, next, fence int64) error {
	time.Sleep(s.takes) // in the bubble
	return s.Store.Advance(ctx, c, next, fence)
}

// quitter stops itself with the first attempt at a record of this value, which fails; all else it saves.
func quitter(save func(*messages.Record) error) actor.Producer {
	return func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			r, ok := ctx.Message().(*messages.Record)
			switch {
			case !ok:
			case string(r.Value) == "bad" && r.Attempt == 0:
				ctx.Stop(ctx.Self())
				r.Complete(errBoom)
			default:
				r.Complete(save(r))
			}
		})
	}
}

// An actor fails at its record and stops itself. While the record is being given up, which takes 20 s, no fresh actor gets it:
// it would be handled beside that, and where a store is moved, the move would take back what came after it.
func TestAnActorThatStopsWhileItsRecordIsGivenUp(t *testing.T) {
	gone := supervisor.On(supervisor.Class(messages.ClassActorStopped), supervisor.Restart(every(100*time.Millisecond)))
	for name, c := range map[string]struct {
		do             supervisor.Directive
		store, letters bool
	}{
		"skipped":                     {supervisor.Skip(), true, false},
		"dead-lettered":               {supervisor.DeadLetter("orders.dlt"), false, true},
		"dead-lettered, with a store": {supervisor.DeadLetter("orders.dlt"), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			store := &ponderousStore{takes: 20 * time.Second}
			store.Set("orders", 0, 0)
			save := func(*messages.Record) error { return nil }
			cfg := config{}
			if c.store {
				save = store.Save
				cfg.Offsets.Store, cfg.Offsets.Start = store, earliest
			}
			cfg.Actor = quitter(save)
			cfg.Policy = supervisor.Policy{gone, supervisor.On(supervisor.Any(), c.do)}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				k.DeadLetterTime(20 * time.Second)
				p := k.Assign("orders", 0)
				p.Append("good", "bad", "good", "good")
				k.Advance(15 * time.Second)
				expect(t, "deliveries before it is given up", attempts(p), "0#0/1 1#0/1")
				k.Advance(30 * time.Second)
				expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 2#0/2 3#0/2")
				if c.store {
					expect(t, "the store's position", store.Next("orders", 0), 4)
				} else {
					expect(t, "committed", p.Committed(), 4)
				}
				expect(t, "letters", len(k.DeadLetters()) == 1, c.letters)
				n := p.Status().Counters
				expect(t, "given up", n.Skipped+n.DeadLettered, 1)
			})
		})
	}
}

// picky is a nanny that fails at a bad record, and tells which child she has then.
type picky struct {
	*nanny
	told **actor.PID
}

func (p *picky) Receive(ctx actor.Context) {
	if r, ok := ctx.Message().(*messages.Record); ok && string(r.Value) == "bad" {
		*p.told = p.child
		r.Complete(errBoom)
		return
	}
	p.nanny.Receive(ctx)
}

// A record is being written as a dead letter, which takes 10 s, and a child of its actor fails, whose strategy escalates. That
// is another failure: the letter is written once, and the actor restarted for its child, but not before the letter is answered.
// Until then the next record waits.
func TestAChildThatEscalatesWhileItsRecordIsGivenUp(t *testing.T) {
	for name, after := range map[string]time.Duration{"restarted before": time.Second, "restarted long after": time.Minute} {
		t.Run(name, func(t *testing.T) {
			var child *actor.PID
			producer := func() actor.Actor {
				return &picky{&nanny{SupervisorStrategy: actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.EscalateDirective })}, &child}
			}
			calls := 0
			cfg := config{
				Actor: producer,
				Policy: supervisor.Policy{
					supervisor.On(supervisor.Is(errBoom), supervisor.DeadLetter("orders.dlt")),
					supervisor.On(supervisor.Any(), supervisor.Restart(every(after))),
				},
				DeadLetters: writer(func(context.Context, *messages.DeadLetter) error {
					calls++
					time.Sleep(10 * time.Second) // in the bubble
					return nil
				}),
			}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("bad", "good")
				k.Advance(3 * time.Second)
				k.System().Root.Send(child, "panic")
				k.Advance(5 * time.Second)
				expect(t, "deliveries while the letter is written", attempts(p), "0#0/1")
				expect(t, "calls of the writer", calls, 1)
				k.Advance(3 * time.Second)
				if after > 10*time.Second {
					expect(t, "deliveries while its child is suspended", attempts(p), "0#0/1")
				}
				k.Advance(time.Minute)
				expect(t, "deliveries", attempts(p), "0#0/1 1#0/2")
				expect(t, "calls of the writer", calls, 1)
				expect(t, "committed", p.Committed(), 2)
				expect(t, "decided", fmt.Sprint(decided(p)), "[Restart/0 DeadLetter/0]")
				f := k.System().Root.RequestFuture(k.PID(), &messages.Forward{Topic: "orders", Partition: 0, Message: "ping"}, time.Second)
				if answer, err := f.Result(); err != nil || answer != "pong" {
					t.Errorf("the child answers %v, %v", answer, err)
				}
			})
		})
	}
}
