package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// later is a plain strategy that makes up its mind about a record after a while, in a goroutine of its own.
type later struct {
	after  time.Duration
	decide func(sup actor.Supervisor, child *actor.PID)
}

func (l later) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _, _ any) {
	time.AfterFunc(l.after, func() { l.decide(sup, child) })
}

func resumes(sup actor.Supervisor, child *actor.PID) { sup.ResumeChildren(child) }

// An actor fails at its record and stops itself. That it is gone is another fault, which the default decides about: a fresh
// actor after 10 s. A plain strategy that says 5 s later that the record is to be skipped is heard all the same.
func TestADelayedDecisionOutlivesAnotherFault(t *testing.T) {
	cfg := config{Strategy: later{5 * time.Second, resumes}, Actor: quitter(func(*messages.Record) error { return nil })}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("bad", "good")
		k.Advance(5 * time.Second)
		expect(t, "skipped", p.Status().Counters.Skipped, 1)
		expect(t, "committed", p.Committed(), 1)
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/2")
		expect(t, "committed", p.Committed(), 2)
	})
}

// A partition is parked, and its actor panics at a message. An operator has the head skipped meanwhile, and the store does not
// answer: another fault, which the default decides about. That does not take from the strategy what it has not decided yet; its
// actor would wait for ever.
func TestADelayedDecisionOutlivesAFaultOfTheStore(t *testing.T) {
	store := &consumertest.Store{}
	store.Set("orders", 0, 0)
	var got []any
	cfg := config{Strategy: later{5 * time.Second, resumes}, Actor: func() actor.Actor { return &talker{&got} }}
	cfg.Offsets.Store, cfg.Offsets.Start = store, earliest
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		if err := k.Pause("orders"); err != nil {
			t.Fatal(err)
		}
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		p.Send("panic")
		store.Fence("orders", 0)
		k.FailStarts(1, errOther)
		if err := p.Skip(0); err == nil {
			t.Error("a skip that is fenced was carried out")
		}
		k.Advance(time.Minute)
		p.Send("hello")
		expect(t, "got", fmt.Sprint(got), "[panic hello]")
	})
}

// An actor panics at a message, and stops; the strategy says Resume when it has gone. Another one is made all the same: that was
// forgotten, and the partition stood for ever.
func TestADelayedResumeOfAnActorThatHasGone(t *testing.T) {
	cfg := config{Strategy: later{5 * time.Second, resumes}, Actor: func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case string:
				ctx.Stop(ctx.Self())
				panic(msg)
			case *messages.Record:
				msg.Complete(nil)
			}
		})
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Send("go")
		k.Advance(time.Minute)
		p.Append("a")
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "0#0/2")
	})
}

// A decision as the first one above, when the fresh actor has the record already: it was about an attempt that is over. The store must not be
// moved past a record that is being handled.
func TestADelayedDecisionThatComesTooLate(t *testing.T) {
	store := &consumertest.Store{}
	store.Set("orders", 0, 0)
	cfg := config{Strategy: later{15 * time.Second, resumes}}
	cfg.Actor = quitter(func(r *messages.Record) error {
		time.Sleep(10 * time.Second) // in the bubble
		return store.Save(r)
	})
	cfg.Offsets.Store, cfg.Offsets.Start = store, earliest
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("bad", "good")
		k.Advance(16 * time.Second)
		expect(t, "deliveries", attempts(p), "0#0/1 0#1/2")
		expect(t, "the store's position while the record is handled", store.Next("orders", 0), 0)
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "0#0/1 0#1/2 1#0/2")
		expect(t, "the store's position", store.Next("orders", 0), 2)
		n := p.Status().Counters
		expect(t, "skipped", n.Skipped, 0)
		expect(t, "handled", n.Handled, 2)
	})
}

// scripted is a plain strategy with one function for each failure.
type scripted func(sup actor.Supervisor, child *actor.PID, r *messages.Record)

func (s scripted) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _, message any) {
	r, _ := message.(*messages.Record)
	s(sup, child, r)
}

// A Resume that was meant for one failure does not give up the record of another one, whose Restart is still to come: of the
// same partition, where a restart of all has decided about the first one meanwhile, or of another partition.
func TestADelayedResumeSkipsNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		pids func(child, other *actor.PID) []*actor.PID // whom the Resume is for
		want string                                     // deliveries of partition 0
	}{
		"of the same partition": {func(child, _ *actor.PID) []*actor.PID { return []*actor.PID{child} }, "0#0/1 0#1/2 1#0/2 1#1/3"},
		"of another partition":  {func(_, other *actor.PID) []*actor.PID { return []*actor.PID{other} }, "0#0/1 0#1/2 1#0/2 1#1/3"},
	} {
		t.Run(name, func(t *testing.T) {
			late := int32(0) // the partition whose record 0 is to be resumed
			if name == "of another partition" {
				late = 2
			}
			var first *actor.PID // of partition 0
			strategy := scripted(func(sup actor.Supervisor, child *actor.PID, r *messages.Record) {
				if r.Partition == 0 {
					first = child
				}
				zero := first
				switch {
				case r.Partition == 1:
					sup.RestartChildren(sup.Children()...)
				case r.Partition == late && r.Offset == 0:
					time.AfterFunc(15*time.Second, func() { sup.ResumeChildren(c.pids(child, zero)...) })
				case r.Offset == 1:
					time.AfterFunc(15*time.Second, func() { sup.RestartChildren(child) })
				}
			})
			handler := func(_ context.Context, r *messages.Record) error {
				if r.Attempt == 0 {
					return errBoom
				}
				return nil
			}
			consumertest.Run(t, config{Handler: handler, Strategy: strategy}, func(t *testing.T, k *kit) {
				p, other, third := k.Assign("orders", 0), k.Assign("orders", 1), k.Assign("orders", 2)
				p.Append("a", "b")
				third.Append("a")
				k.Advance(5 * time.Second)
				other.Append("a")
				k.Advance(11 * time.Second)
				expect(t, "skipped by the Resume", p.Status().Counters.Skipped, 0)
				expect(t, "committed then", p.Committed(), 1)
				k.Advance(5 * time.Second)
				expect(t, "deliveries", attempts(p), c.want)
				expect(t, "handled", p.Status().Counters.Handled, 2)
				expect(t, "committed", p.Committed(), 2)
			})
		})
	}
}

// byPartition is an all-for-one strategy that stops all when partition 1 fails, and resumes partition 0.
type byPartition struct{}

func (byPartition) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _, message any) {
	if r, ok := message.(*messages.Record); ok && r.Partition == 1 {
		sup.StopChildren(sup.Children()...)
		return
	}
	sup.ResumeChildren(child)
}

// A record of partition 0 is being skipped, for which its store takes 20 s, and partition 1 fails: a strategy stops all
// partitions for that. The skip is carried out all the same, and partition 0 is stopped when that is done: parked, its
// incarnation gone, with the next record at its head.
func TestAStopOfAllBesideASkip(t *testing.T) {
	store := &ponderousStore{takes: 20 * time.Second}
	store.Set("orders", 0, 0)
	store.Set("orders", 1, 0)
	made := map[int32]int{}
	cfg := config{Strategy: byPartition{}, Actor: func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *messages.Assigned:
				made[m.Claim.Partition]++
			case *messages.Record:
				if string(m.Value) == "bad" {
					m.Complete(errBoom)
					return
				}
				m.Complete(store.Save(m))
			}
		})
	}}
	cfg.Offsets.Store, cfg.Offsets.Start = store, earliest
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, other := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Append("bad", "good")
		k.Advance(10 * time.Second)
		other.Append("bad")
		k.Advance(5 * time.Second)
		expect(t, "the other's state", other.Status().State, messages.StateParked)
		expect(t, "the store's position", store.Next("orders", 0), 0)
		k.Advance(time.Minute)
		s := p.Status()
		expect(t, "the store's position", store.Next("orders", 0), 1)
		expect(t, "skipped", s.Counters.Skipped, 1)
		expect(t, "state", s.State, messages.StateParked)
		expect(t, "head", s.Head, 1)
		expect(t, "deliveries", attempts(p), "0#0/1")
		if err := p.Retry(1); err != nil {
			t.Fatal(err)
		}
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/3")
		expect(t, "actors that were greeted", made[0], 2)
		expect(t, "the store's position", store.Next("orders", 0), 2)
	})
}

// An operator has the head of a parked partition skipped, for which its store takes 20 s, and the actor panics at a message
// meanwhile: a strategy stops it for that. The skip does not undo that when it is done: the next record is at the head, parked,
// and the incarnation is gone.
func TestAStopForAMessageBesideAnOperatorsSkip(t *testing.T) {
	store := &ponderousStore{takes: 20 * time.Second}
	store.Set("orders", 0, 0)
	made := 0
	cfg := config{Strategy: decides(actor.StopDirective), Actor: func() actor.Actor {
		made++
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case string:
				panic(m)
			case *messages.Record:
				m.Complete(store.Save(m))
			}
		})
	}}
	cfg.Offsets.Store, cfg.Offsets.Start = store, earliest
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		if err := k.Pause("orders"); err != nil {
			t.Fatal(err)
		}
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		if err := errors.Join(p.Park(0, "look"), k.Resume("orders")); err != nil {
			t.Fatal(err)
		}
		k.Tell(&messages.SkipHead{Head: p.Head(0), By: "test"})
		k.Advance(10 * time.Second)
		p.Send("panic")
		k.Advance(time.Minute)
		s := p.Status()
		expect(t, "the store's position", store.Next("orders", 0), 1)
		expect(t, "skipped", s.Counters.Skipped, 1)
		expect(t, "state", s.State, messages.StateParked)
		expect(t, "reason", s.Reason, "stopped by the supervisor strategy")
		expect(t, "actors that were made", made, 1)
		expect(t, "deliveries", attempts(p), "")
		if err := p.Retry(1); err != nil {
			t.Fatal(err)
		}
		expect(t, "deliveries", attempts(p), "1#0/3")
		expect(t, "actors that were made", made, 2)
		expect(t, "the store's position", store.Next("orders", 0), 2)
	})
}

// A record fails, and while that is decided about, at 0 s, a child of its actor fails, whose strategy escalates: the child is
// suspended until its parent is restarted, in a minute. The parent must not go on without it meanwhile:
//
//  1. The record fails: protoactor suspends the actor and asks.
//  2. The child fails: the actor is suspended once more, and that is asked, too.
//  3. The first is decided: Retry, in a second. The actor is resumed, which ends both suspensions.
//  4. The second is decided: Restart, in a minute.
func TestAChildThatEscalatesWhileARetryIsDecided(t *testing.T) {
	var child *actor.PID
	var sys *actor.ActorSystem
	asked := 0
	slow := supervisor.When("slow", func(f *messages.Failure) bool {
		if f.Offset < 0 {
			return false
		}
		if asked++; asked == 1 {
			sys.Root.Send(child, "panic")
			time.Sleep(time.Millisecond) // in the bubble: the child fails meanwhile
		}
		return true
	})
	for name, strategy := range map[string]actor.SupervisorStrategy{"policy": nil, "strategy": both{slow}} {
		t.Run(name, func(t *testing.T) {
			asked = 0
			cfg := config{
				Actor: func() actor.Actor {
					return &picky{&nanny{SupervisorStrategy: actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.EscalateDirective })}, &child}
				},
				Policy:   supervisor.Policy{supervisor.On(slow, supervisor.Retry(every(time.Second))), supervisor.On(supervisor.Any(), supervisor.Restart(every(time.Minute)))},
				Strategy: strategy,
			}
			if strategy != nil {
				cfg.Policy = nil
			}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				sys = k.System()
				p := k.Assign("orders", 0)
				p.Append("bad", "good")
				k.Advance(30 * time.Second)
				expect(t, "deliveries while the child is suspended", attempts(p), "0#0/1")
			})
		})
	}
}

// both skips a record at once, after slow has been asked, and restarts for a child after a minute.
type both struct{ slow supervisor.Matcher }

func (b both) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _, message any) {
	if _, ok := message.(*messages.Record); !ok {
		time.AfterFunc(time.Minute, func() { sup.RestartChildren(child) })
		return
	}
	supervisor.Policy{supervisor.On(b.slow, supervisor.Skip())}.Decide(messages.Failure{Offset: 0})
	sup.ResumeChildren(child)
}
