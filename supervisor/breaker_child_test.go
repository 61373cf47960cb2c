package supervisor_test

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// guardian is a nanny of partition 0 whose records fail because what they need is away; with the second attempt they are kept,
// where that is asked for. Those of other partitions are handled.
type guardian struct {
	*nanny
	*house
}

// house is what the test sees of its guardian.
type house struct {
	child *actor.PID
	keeps bool
	back  bool // what is needed
	kept  *messages.Record
}

func (g *guardian) Receive(ctx actor.Context) {
	r, ok := ctx.Message().(*messages.Record)
	switch {
	case !ok:
		g.nanny.Receive(ctx)
	case r.Partition != 0 || g.back:
		r.Complete(nil)
	case g.keeps && r.Attempt > 0:
		g.house.child, g.kept = g.nanny.child, r
		r.Keep()
	default:
		g.house.child = g.nanny.child
		r.Complete(errAway)
	}
}

// A child of the actor whose head is the breaker's probe fails, and the actor's strategy escalates: the actor waits to be
// restarted for that, and its head with it. Where that takes long, it is the probe no longer: another partition's head is tried
// in its place, at the pace of the breaker, which stays open until then. Where it is restarted at once, it stays the probe. With
// what a kept record comes to after it was the probe, the breaker does not close.
func TestBreakerProbeWhoseActorsChildEscalates(t *testing.T) {
	for name, c := range map[string]struct {
		keeps        bool
		fails        time.Duration // when the child does
		do           supervisor.Directive
		other, probe string // deliveries
		closed       time.Duration
	}{
		"while it waits":                   {false, 4 * time.Second, supervisor.Retry(every(time.Hour)), "0#0@10s", "0#0@0s 0#1@1h0m4s", 10 * time.Second},
		"while it waits, parked":           {false, 4 * time.Second, supervisor.Park("look"), "0#0@10s", "0#0@0s", 10 * time.Second},
		"while it waits, made anew":        {false, 4 * time.Second, supervisor.Restart(every(0)), "0#0@20s", "0#0@0s 0#1@10s 0#2@20s", 20 * time.Second},
		"while it is tried":                {true, 14 * time.Second, supervisor.Retry(every(time.Hour)), "0#0@24s", "0#0@0s 0#1@10s 0#2@1h0m14s", 24 * time.Second},
		"while it is tried, and completed": {true, 14 * time.Second, supervisor.Retry(every(2 * time.Hour)), "0#0@24s", "0#0@0s 0#1@10s", 24 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			h := &house{keeps: c.keeps}
			escalates := actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.EscalateDirective })
			cfg := config{
				Actor: func() actor.Actor { return &guardian{&nanny{SupervisorStrategy: escalates}, h} },
				Policy: supervisor.Policy{
					supervisor.On(supervisor.Is(errAway), supervisor.Break(every(10*time.Second))),
					supervisor.On(supervisor.Any(), c.do),
				},
			}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p, other := k.Assign("orders", 0), k.Assign("orders", 1)
				p.Append("a")
				other.Append("b")
				k.Advance(c.fails)
				if c.do.String() == supervisor.Restart(every(0)).String() {
					defer func() { expect(t, "incarnation", p.Status().Incarnation, 2) }()
				}
				k.System().Root.Send(h.child, "panic")
				k.Advance(2 * time.Second)
				if name == "while it is tried, and completed" {
					h.kept.Complete(nil)
					k.Advance(time.Second)
					expect(t, "committed", p.Committed(), 1)
				}
				expect(t, "open", k.Status().Breaker != "", true)
				expect(t, "the other's, before it is the probe", deliveredAt(other), "")
				k.Advance(15*time.Second - k.Now())
				h.back = true // what has waited is handled
				k.Advance(90 * time.Minute)
				expect(t, "the other's", deliveredAt(other), c.other)
				expect(t, "the first probe's", deliveredAt(p), c.probe)
				closed := eventsOf[*messages.BreakerClosed](k)
				if len(closed) != 1 || closed[0].Open != c.closed {
					t.Errorf("closed: %+v", closed)
				}
				expect(t, "opened", len(eventsOf[*messages.BreakerOpened](k)), 1)
				if c.do.String() == supervisor.Park("look").String() {
					if err := p.Retry(0); err != nil {
						t.Error(err)
					}
				}
				if name != "while it is tried, and completed" { // its actor still waits
					expect(t, "committed", p.Committed(), 1)
				}
			})
		})
	}
}
