package supervisor_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// shop is an application's own actor with a consumer below it.
type shop struct {
	*boss
	consumer *actor.Props
}

// boss is what the test sees of it. It is its strategy, too.
type boss struct {
	k      *kit
	decide func(n int, reason error) actor.Directive

	mu         sync.Mutex
	started    int
	terminated []time.Duration
	reasons    []error
}

func (s *shop) Receive(ctx actor.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch ctx.Message().(type) {
	case *actor.Started:
		s.started++
		ctx.Spawn(s.consumer)
	case *actor.Terminated:
		at := time.Duration(-1)
		if s.k != nil {
			at = s.k.Now()
		}
		s.terminated = append(s.terminated, at)
	}
}

func (b *boss) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	b.mu.Lock()
	err, _ := reason.(error)
	b.reasons = append(b.reasons, err)
	n := len(b.reasons)
	b.mu.Unlock()
	switch b.decide(n, err) {
	case actor.RestartDirective:
		sup.RestartChildren(child)
	case actor.ResumeDirective:
		sup.ResumeChildren(child)
	default:
		sup.StopChildren(child)
	}
}

// ends is when the boss was told of its consumer's end.
func (b *boss) ends() []time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]time.Duration(nil), b.terminated...)
}

// incarnations is how often the boss has started.
func (b *boss) incarnations() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.started
}

// asked is what the boss, as a strategy, was asked about.
func (b *boss) asked() []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]error(nil), b.reasons...)
}

// embedded runs a test with a consumer under an application's actor.
func embedded(t *testing.T, cfg config, b *boss, test func(t *testing.T, k *kit)) {
	t.Helper()
	setup := consumertest.Setup{Config: cfg, Parent: func(consumer *actor.Props) *actor.Props {
		return actor.PropsFromProducer(func() actor.Actor { return &shop{b, consumer} }, actor.WithSupervisor(b))
	}}
	setup.Run(t, func(t *testing.T, k *kit) {
		b.mu.Lock()
		b.k = k
		b.mu.Unlock()
		test(t, k)
	})
}

// A poison pill, and Stop, from outside are a wish to leave: what is in flight finishes and is committed, the group is
// left, and only then the parent is told Terminated.
func TestAPoisonPillDrains(t *testing.T) {
	for name, end := range map[string]func(*kit){
		"poison pill": func(k *kit) { k.System().Root.Poison(k.PID()) },
		"stop":        func(k *kit) { k.System().Root.Stop(k.PID()) },
		"both, twice": func(k *kit) {
			k.System().Root.Poison(k.PID())
			k.System().Root.Stop(k.PID())
			k.System().Root.Poison(k.PID())
		},
		"behind a drain":             func(k *kit) { k.Tell(&messages.Drain{}); k.System().Root.Poison(k.PID()) },
		"the parent is stopped":      func(k *kit) { k.System().Root.Stop(k.Root()) },
		"the parent takes a poison":  func(k *kit) { k.System().Root.Poison(k.Root()) },
		"a poison and then a parent": func(k *kit) { k.System().Root.Poison(k.PID()); k.System().Root.Stop(k.Root()) },
	} {
		t.Run(name, func(t *testing.T) {
			b := &boss{}
			embedded(t, config{Handler: consumertest.Script(consumertest.Work(10 * time.Second))}, b, func(t *testing.T, k *kit) {
				k.LeaveTakes(5*time.Second, nil)
				p := k.Assign("orders", 0)
				p.Append("a", "b")
				end(k)
				k.Advance(15*time.Second - 1)
				expect(t, "told before the group has been left", len(b.ends()), 0)
				k.Advance(1)
				if ends := b.ends(); len(ends) != 1 || ends[0] != 15*time.Second {
					t.Errorf("told at %v", ends)
				}
				expect(t, "committed", p.Committed(), 1)
				expect(t, "deliveries", attempts(p), "0#0/1")
				expect(t, "failures of the consumer", len(b.asked()), 0)
			})
		})
	}
}

// The pill comes in the middle of a rebalance.
func TestAPoisonPillDuringARebalance(t *testing.T) {
	b := &boss{}
	embedded(t, config{Handler: consumertest.Script(consumertest.Work(10*time.Second), consumertest.Work(20*time.Second))}, b, func(t *testing.T, k *kit) {
		going := k.Assign("orders", 0)
		going.Append("a", "b")
		staying := k.Assign("orders", 1)
		staying.Append("x", "y")
		going.StartRevoke(time.Minute)
		again := k.Assign("orders", 0) // waits for the old claim
		k.System().Root.Poison(k.PID())
		k.Advance(20*time.Second - 1)
		expect(t, "told", len(b.ends()), 0)
		k.Advance(1)
		expect(t, "told", len(b.ends()), 1)
		expect(t, "committed", [2]int64{going.Committed(), staying.Committed()}, [2]int64{1, 1})
		expect(t, "left", going.Owned() || staying.Owned() || again.Owned(), false)
	})
}

// A handler that does not return holds the parent up for a drain, and no longer.
func TestAPoisonPillAndAHandlerThatDoesNotReturn(t *testing.T) {
	b := &boss{}
	embedded(t, config{Handler: consumertest.Script(consumertest.Block()), DrainTimeout: 10 * time.Second}, b, func(t *testing.T, k *kit) {
		k.Assign("orders", 0).Append("a")
		k.System().Root.Poison(k.Root())
		k.Advance(15 * time.Second)
		expect(t, "told", len(b.ends()), 1)
	})
}

// An escalated failure reaches the parent's strategy when the group has been left, and not before; what the parent
// decides is done.
func TestAnEscalationReachesTheParent(t *testing.T) {
	for name, c := range map[string]struct {
		directive actor.Directive
		ends      int
	}{
		"stop":    {actor.StopDirective, 1},
		"resume":  {actor.ResumeDirective, 1}, // it cannot go on: it stops
		"restart": {actor.RestartDirective, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := &boss{decide: func(int, error) actor.Directive { return c.directive }}
			cfg := config{Handler: failOn(1, 1, consumertest.Fail(errBoom)), Policy: always(supervisor.Escalate())}
			embedded(t, cfg, b, func(t *testing.T, k *kit) {
				k.LeaveTakes(5*time.Second, nil)
				_, got := listener(k)
				p := k.Assign("orders", 0)
				p.Append("a", "b", "c")
				k.Advance(5*time.Second - 1)
				expect(t, "asked before the group has been left", len(b.asked()), 0)
				k.Advance(1)
				var escalated *messages.EscalatedError
				if len(b.asked()) != 1 || !errors.As(b.asked()[0], &escalated) || escalated.Failure.Where() != "orders/0@1" {
					t.Fatalf("asked about %v", b.asked())
				}
				expect(t, "told of the end", len(b.ends()), c.ends)
				expect(t, "left", p.Owned(), false)
				if c.directive != actor.RestartDirective {
					return
				}
				// It joins anew, as the same PID, and begins where it was; who has subscribed is still told.
				k.Advance(time.Second)
				again := k.Assign("orders", 0)
				expect(t, "deliveries", attempts(again), "1#1/1 2#0/1")
				expect(t, "committed", again.Committed(), 3)
				expect(t, "events", got.String(), "ClaimAssigned, ClaimAssigned, ClaimRevoked, Failed")
				k.System().Root.Poison(k.PID())
				k.Advance(5 * time.Second)
				expect(t, "told of the end", len(b.ends()), 1)
				expect(t, "left", again.Owned(), false)
			})
		})
	}
}

// The membership ends for good: the parent decides about that, too.
func TestARefusedMemberUnderAParent(t *testing.T) {
	b := &boss{decide: func(n int, _ error) actor.Directive { return actor.RestartDirective }}
	embedded(t, config{Handler: consumertest.Script()}, b, func(t *testing.T, k *kit) {
		k.Assign("orders", 0).Append("a")
		k.Expel(errOther)
		if len(b.asked()) != 1 || !errors.Is(b.asked()[0], errOther) {
			t.Fatalf("asked about %v", b.asked())
		}
		k.Advance(time.Second)
		again := k.Assign("orders", 0)
		again.Append("b")
		expect(t, "committed", again.Committed(), 2)
	})
}

// The parent's own Restart: its children leave in order before its fresh incarnation spawns them anew.
func TestTheParentRestarts(t *testing.T) {
	b := &boss{}
	embedded(t, config{Handler: consumertest.Script(consumertest.Work(10 * time.Second))}, b, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		process, _ := k.System().ProcessRegistry.Get(k.Root())
		process.SendSystemMessage(k.Root(), &actor.Restart{})
		k.Advance(10*time.Second - 1)
		expect(t, "incarnations of the parent", b.incarnations(), 1)
		k.Advance(1)
		expect(t, "incarnations of the parent", b.incarnations(), 2)
		expect(t, "committed", p.Committed(), 1)
		again := k.Assign("orders", 0)
		expect(t, "deliveries", attempts(again), "1#0/1")
	})
}

// A Restart of the consumer itself, by a parent that restarts all of its children for another one's failure.
func TestARestartFromOutside(t *testing.T) {
	b := &boss{}
	hooks := &book{}
	cfg := config{Handler: consumertest.Script(consumertest.Work(10 * time.Second))}
	cfg.Hooks.Revoked = func(r messages.Revoked) { hooks.add("revoked %v", r.Reason) }
	embedded(t, cfg, b, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		_, got := listener(k)
		process, _ := k.System().ProcessRegistry.Get(k.PID())
		process.SendSystemMessage(k.PID(), &actor.Restart{})
		k.Advance(10*time.Second - 1)
		expect(t, "ended", k.Ends(), 0)
		k.Advance(1)
		expect(t, "ended", k.Ends(), 1)
		expect(t, "hooks", hooks.String(), "revoked Shutdown")
		expect(t, "committed", p.Committed(), 1)
		again := k.Assign("orders", 0)
		expect(t, "deliveries", attempts(again), "1#0/1")
		expect(t, "told of an end", len(b.ends()), 0)
		expect(t, "events", got.String(), "ClaimAssigned, ClaimRevoked")
		process.SendSystemMessage(k.PID(), &actor.Restart{})
		k.System().Root.Poison(k.PID()) // a pill beats the restart
		k.Advance(0)
		expect(t, "told of an end", len(b.ends()), 1)
	})
}

// A pill is held back while an escalated failure drains: it is done, and the parent, which has decided, is not asked.
func TestAPoisonPillWhileAnEscalationDrains(t *testing.T) {
	b := &boss{decide: func(int, error) actor.Directive { return actor.RestartDirective }}
	handler := func(ctx context.Context, r *messages.Record) error {
		if r.Partition == 1 {
			return consumertest.Work(10*time.Second)(ctx, r)
		}
		return errBoom
	}
	embedded(t, config{Handler: handler, Policy: always(supervisor.Escalate())}, b, func(t *testing.T, k *kit) {
		busy := k.Assign("orders", 1)
		busy.Append("x")
		k.Assign("orders", 0).Append("a")
		k.System().Root.Poison(k.PID())
		k.Advance(10 * time.Second)
		expect(t, "told of the end", len(b.ends()), 1)
		expect(t, "asked", len(b.asked()), 0)
		expect(t, "committed", busy.Committed(), 1)
	})
}

// The parent restarts its consumer, and once more just as the old incarnation has ended. The fresh one is not asked to
// leave for that: it joins, and works.
func TestARestartAsTheIncarnationEnds(t *testing.T) {
	b := &boss{decide: func(int, error) actor.Directive { return actor.RestartDirective }}
	restart := func(k *kit) {
		process, _ := k.System().ProcessRegistry.Get(k.PID())
		process.SendSystemMessage(k.PID(), &actor.Restart{})
	}
	var kitOf *kit
	ends := 0
	setup := consumertest.Setup{Config: config{Handler: consumertest.Script()}, Adjust: func(set *supervisor.Settings) {
		ended := set.Ended
		set.Ended = func(err error) {
			if ends++; ends == 1 {
				restart(kitOf)
			}
			ended(err)
		}
	}, Parent: func(consumer *actor.Props) *actor.Props {
		return actor.PropsFromProducer(func() actor.Actor { return &shop{b, consumer} }, actor.WithSupervisor(b))
	}}
	setup.Run(t, func(t *testing.T, k *kit) {
		kitOf = k
		k.Assign("orders", 0).Append("a")
		restart(k)
		k.Advance(time.Second)
		expect(t, "incarnations that have ended", k.Ends(), 1)
		expect(t, "told of the consumer's end", len(b.ends()), 0)
		p := k.Assign("orders", 0)
		p.Append("b")
		expect(t, "committed", p.Committed(), 2)
	})
}
