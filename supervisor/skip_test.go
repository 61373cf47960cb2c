package supervisor_test

import (
	"context"
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
