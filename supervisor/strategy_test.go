package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// decides is a plain strategy with one directive for everything.
func decides(d actor.Directive) actor.SupervisorStrategy {
	return actor.NewOneForOneStrategy(1000, time.Hour, func(any) actor.Directive { return d })
}

func TestPlainStrategyResumeSkips(t *testing.T) {
	cfg := config{Handler: failOn(1, 9, consumertest.Fail(errBoom)), Strategy: decides(actor.ResumeDirective)}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 2#0/1")
		expect(t, "committed", p.Committed(), 3)
		expect(t, "skipped", p.Status().Counters.Skipped, 1)
		if e := eventsOf[*messages.Skipped](k); len(e) != 1 || e[0].By != "strategy" {
			t.Errorf("events %+v", e)
		}
	})
}

func TestPlainStrategyRestartRedelivers(t *testing.T) {
	cfg := config{Handler: failOn(1, 2, consumertest.Fail(errBoom)), Strategy: decides(actor.RestartDirective)}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 1#1/2 1#2/3 2#0/3")
		expect(t, "committed", p.Committed(), 3)
	})
}

// Stop parks, and the incarnation is gone; an un-park makes a fresh one under the same PID.
func TestPlainStrategyStopParks(t *testing.T) {
	pids := map[string]bool{}
	made := 0
	producer := func() actor.Actor {
		made++
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if r, ok := ctx.Message().(*messages.Record); ok {
				pids[ctx.Self().Id] = true
				if r.Offset == 1 && r.Attempt == 0 {
					r.Complete(errBoom)
					return
				}
				r.Complete(nil)
			}
		})
	}
	for name, act := range map[string]func(p *partition) error{
		"retry": func(p *partition) error { return p.Retry(1) },
		"skip":  func(p *partition) error { return p.Skip(1) },
	} {
		t.Run(name, func(t *testing.T) {
			made = 0
			clear(pids)
			consumertest.Run(t, config{Actor: producer, Strategy: decides(actor.StopDirective)}, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b", "c")
				k.Advance(time.Hour)
				s := p.Status()
				expect(t, "state", s.State, messages.StateParked)
				expect(t, "reason", s.Reason, "stopped by the supervisor strategy")
				expect(t, "deliveries", attempts(p), "0#0/1 1#0/1")
				expect(t, "users' actors made", made, 1)
				if err := act(p); err != nil {
					t.Fatal(err)
				}
				expect(t, "users' actors made", made, 2)
				want := map[string]string{"retry": "0#0/1 1#0/1 1#1/3 2#0/3", "skip": "0#0/1 1#0/1 2#0/3"}[name]
				expect(t, "deliveries", attempts(p), want)
				expect(t, "PIDs", len(pids), 1)
				expect(t, "committed", p.Committed(), 3)
			})
		})
	}
}

// Stop leaves the incarnation gone whatever has failed: also at a message, and when it was the actor's own child.
func TestPlainStrategyStopMakesNoFreshActor(t *testing.T) {
	for name, fault := range map[string]string{"a message": "self", "a child": "panic"} {
		t.Run(name, func(t *testing.T) {
			var made atomic.Int32
			producer := func() actor.Actor {
				made.Add(1)
				child := &nanny{SupervisorStrategy: actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.EscalateDirective })}
				return &moody{child}
			}
			consumertest.Run(t, config{Actor: producer, Strategy: decides(actor.StopDirective)}, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				p.Send(fault)
				k.Advance(time.Minute)
				expect(t, "state", p.Status().State, messages.StateParked)
				expect(t, "users' actors made", made.Load(), 1)
				p.Append("b")
				if err := p.Retry(1); err != nil {
					t.Fatal(err)
				}
				expect(t, "users' actors made", made.Load(), 2)
				expect(t, "committed", p.Committed(), 2)
			})
		})
	}
}

// moody is a nanny that panics herself when told so.
type moody struct{ *nanny }

func (m *moody) Receive(ctx actor.Context) {
	if ctx.Message() == "self" {
		panic("self")
	}
	m.nanny.Receive(ctx)
}

// A partition that a plain strategy has stopped is given up in order.
func TestAStoppedPartitionIsRevoked(t *testing.T) {
	cfg := config{Handler: failOn(1, 9, consumertest.Fail(errBoom)), Strategy: decides(actor.StopDirective)}
	hooks := told(&cfg)
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		expect(t, "release took", p.Revoke(), 0)
		expect(t, "hooks", hooks.String(), "assigned 0, revoked 0 Rebalance")
		if c := lastCommit(t, p); c.Next != 1 || c.Attempt != 1 || !c.Parked {
			t.Errorf("last commit %+v", c)
		}
	})
}

func TestPlainStrategyEscalates(t *testing.T) {
	cfg := config{Handler: failOn(1, 9, consumertest.Fail(errBoom)), Strategy: decides(actor.EscalateDirective)}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		err := k.Wait()
		var escalated *messages.EscalatedError
		if !errors.As(err, &escalated) || escalated.Failure.Where() != "orders/0@1" || !errors.Is(err, errBoom) {
			t.Errorf("ended with %v", err)
		}
		if c := lastCommit(t, p); c.Next != 1 || c.Parked {
			t.Errorf("last commit %+v", c)
		}
	})
}

// The claim whose failure was escalated is the one that is named, also when others fail with the same text.
func TestAnEscalationNamesItsOwnPartition(t *testing.T) {
	strategy := actor.NewOneForOneStrategy(1000, time.Hour, func(reason any) actor.Directive {
		return actor.EscalateDirective
	})
	handler := func(_ context.Context, r *messages.Record) error {
		return errBoom
	}
	for range 20 {
		consumertest.Run(t, config{Handler: handler, Strategy: selective{strategy}}, func(t *testing.T, k *kit) {
			zero, one := k.Assign("orders", 0), k.Assign("orders", 1)
			zero.Append("a") // undecided
			one.Append("b")
			var escalated *messages.EscalatedError
			if err := k.Wait(); !errors.As(err, &escalated) || escalated.Failure.Where() != "orders/1@0" {
				t.Fatalf("ended with %v", err)
			}
		})
	}
}

// selective decides about partition 1 only, and about others never.
type selective struct{ actor.SupervisorStrategy }

func (s selective) HandleFailure(sys *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, rs *actor.RestartStatistics, reason, message any) {
	if r, ok := message.(*messages.Record); ok && r.Partition == 1 {
		s.SupervisorStrategy.HandleFailure(sys, sup, child, rs, reason, message)
	}
}

// All for one: the others are restarted, too. Their records in flight finish, and none is lost.
func TestAllForOne(t *testing.T) {
	for name, c := range map[string]struct {
		directive   actor.Directive
		incarnation int
		state       messages.State
	}{
		"restart": {actor.RestartDirective, 2, messages.StateIdle},
		"stop":    {actor.StopDirective, 2, messages.StateParked},
		"resume":  {actor.ResumeDirective, 1, messages.StateIdle},
	} {
		t.Run(name, func(t *testing.T) {
			strategy := actor.NewAllForOneStrategy(1000, time.Hour, func(any) actor.Directive { return c.directive })
			handler := func(ctx context.Context, r *messages.Record) error {
				if r.Partition == 0 {
					return failOn(0, 1, consumertest.Fail(errBoom))(ctx, r)
				}
				if r.Offset == 0 {
					return consumertest.Work(time.Minute)(ctx, r)
				}
				return nil
			}
			consumertest.Run(t, config{Handler: handler, Strategy: strategy}, func(t *testing.T, k *kit) {
				failing, other := k.Assign("orders", 0), k.Assign("orders", 1)
				other.Append("x", "y")
				failing.Append("a")
				k.Advance(2 * time.Minute)
				expect(t, "the other's incarnation", other.Status().Incarnation, c.incarnation)
				expect(t, "the other's state", other.Status().State, c.state)
				if c.directive == actor.StopDirective {
					expect(t, "the other's committed", other.Committed(), 1)
					if err := other.Retry(1); err != nil {
						t.Fatal(err)
					}
				}
				expect(t, "the other's committed", other.Committed(), 2)
				expect(t, "the other's deliveries", len(other.Deliveries()), 2)
			})
		})
	}
}

// protoactor's exponential strategy restarts later, from a goroutine of its own.
func TestADelayedRestart(t *testing.T) {
	cfg := config{Handler: failOn(1, 2, consumertest.Fail(errBoom)), Strategy: actor.NewExponentialBackoffStrategy(time.Hour, time.Minute)}
	hooks := told(&cfg)
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		expect(t, "before the delay", attempts(p), "0#0/1 1#0/1")
		k.Advance(time.Minute + time.Millisecond)
		expect(t, "after the delay", attempts(p), "0#0/1 1#0/1 1#1/2")
		// The partition is revoked before the second delay is over: the farewell is told, the failure is not silent, and the
		// attempts go to the next owner.
		expect(t, "release took", p.Revoke(), 0)
		expect(t, "hooks", hooks.String(), "assigned 0, revoked 0 Rebalance")
		expect(t, "failures", len(p.Failures()), 2)
		if c := lastCommit(t, p); c.Next != 1 || c.Attempt != 2 {
			t.Errorf("last commit %+v", c)
		}
		// The restart that comes too late reaches nobody: not the next claim of the same partition either.
		next := k.Assign("orders", 0)
		k.Advance(time.Hour)
		expect(t, "the next owner's", attempts(next), "1#2/1 2#0/1")
	})
}

func TestADelayedRestartOfALostClaim(t *testing.T) {
	cfg := config{Handler: failOn(0, 9, consumertest.Fail(errBoom)), Strategy: actor.NewExponentialBackoffStrategy(time.Hour, time.Minute)}
	hooks := told(&cfg)
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.Lose(errOther)
		expect(t, "hooks", hooks.String(), "assigned 0, lost 0 something else")
		expect(t, "committed", p.Committed(), -1)
	})
}

// A strategy that panics is the application's mistake; it ends the consumer in order and with the reason, and not the
// process.
func TestAStrategyThatPanics(t *testing.T) {
	strategy := actor.NewOneForOneStrategy(1000, time.Hour, func(any) actor.Directive { panic("no idea") })
	cfg := config{Handler: failOn(1, 9, consumertest.Fail(errBoom)), Strategy: strategy}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		if err := k.Wait(); err == nil {
			t.Error("ended with nil")
		}
		expect(t, "committed", p.Committed(), 1)
		expect(t, "left", p.Owned(), false)
	})
}

// A fault that is no record's is decided by the strategy, too; one that never reaches it, the claim's start, by the
// default policy.
func TestPlainStrategyAndFaultsOfTheClaim(t *testing.T) {
	calls := 0
	cfg := config{Handler: consumertest.Script(), Strategy: decides(actor.RestartDirective)}
	cfg.Hooks.Assigned = func(context.Context, messages.Claim) error {
		if calls++; calls == 1 {
			return errBoom
		}
		return nil
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		k.FailStarts(1, errOther)
		p := k.Assign("orders", 0)
		p.Append("a")
		expect(t, "before the default delay", attempts(p), "")
		k.Advance(10 * time.Second)
		expect(t, "deliveries", attempts(p), "0#0/2")
		expect(t, "calls of the hook", calls, 2)
	})
}

// A plain strategy does not know of Directed, nor does what takes its place while the claim is being given up: the next owner
// handles the record again.
func TestWithAPlainStrategyNothingIsDirected(t *testing.T) {
	for name, do := range map[string]supervisor.Directive{"skip": supervisor.Skip(), "break": supervisor.Break(every(time.Minute))} {
		t.Run(name, func(t *testing.T) {
			cfg := config{Strategy: decides(actor.RestartDirective), Handler: func(context.Context, *messages.Record) error {
				time.Sleep(5 * time.Second) // in the bubble
				return supervisor.Directed(errBoom, do)
			}}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b")
				p.RevokeWithin(time.Minute)
				if c := lastCommit(t, p); c.Next != 0 || c.Attempt != 1 {
					t.Errorf("last commit %+v", c)
				}
				expect(t, "decided", fmt.Sprint(decided(p)), "[Retry/0]")
				expect(t, "breakers that were opened", len(eventsOf[*messages.BreakerOpened](k)), 0)
			})
		})
	}
}
