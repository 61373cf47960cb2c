package supervisor_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// A failure of the claim's, not of a record's: a hook's. It costs no record and no attempt.
func TestAHookThatFailsCostsNoRecord(t *testing.T) {
	for name, hook := range map[string]func() error{
		"error": func() error { return errBoom },
		"panic": func() error { panic(errBoom) },
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			cfg := config{Handler: consumertest.Script()}
			cfg.Hooks.Assigned = func(context.Context, messages.Claim) error {
				if calls++; calls <= 2 {
					return hook()
				}
				return nil
			}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				k.Advance(9 * time.Second)
				expect(t, "deliveries while the hook fails", attempts(p), "")
				k.Advance(101 * time.Second)
				expect(t, "calls", calls, 3)
				d := p.Deliveries()
				if len(d) != 1 || d[0].Offset != 0 || d[0].Attempt != 0 || d[0].At != 110*time.Second {
					t.Errorf("deliveries %+v", d)
				}
				for _, f := range p.Failures() {
					expect(t, "offset", f.Failure.Offset, -1)
				}
			})
		})
	}
}

// Each case is what a policy says about a failing Assigned hook; none may spin.
func TestWhatAPolicySaysOfAHook(t *testing.T) {
	for name, c := range map[string]struct {
		do    supervisor.Directive
		calls int // within an hour
		state messages.State
		after string // deliveries after an hour and RetryHead
	}{
		"park": {supervisor.Park("look"), 1, messages.StateParked, "0#0/1"},
		"skip": {supervisor.Skip(), 1, messages.StateIdle, "0#0/1"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			cfg := config{Handler: consumertest.Script(), Policy: always(c.do)}
			cfg.Hooks.Assigned = func(context.Context, messages.Claim) error {
				if calls++; calls > 1000 {
					return nil // it spins: let the test end
				}
				if calls == 1 {
					return errBoom
				}
				return nil
			}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				k.Advance(time.Hour)
				expect(t, "calls", calls, c.calls)
				expect(t, "state", p.Status().State, c.state)
				if c.state == messages.StateParked {
					expect(t, "deliveries while parked", attempts(p), "")
					if err := p.Retry(0); err != nil {
						t.Fatal(err)
					}
				}
				expect(t, "deliveries", attempts(p), c.after)
			})
		})
	}
}

// An actor panics in Started, in Assigned, or has a child that fails as soon as it is there. Skip tries again each second,
// since there is nothing to give up; Park makes no further actor before somebody has acted. Neither may spin.
func TestWhatAPolicySaysOfAnActorThatCannotBegin(t *testing.T) {
	boom := func(broken bool) {
		if broken {
			panic(errBoom)
		}
	}
	for at, begin := range map[string]func(ctx actor.Context, broken bool){
		"Started": func(ctx actor.Context, broken bool) {
			if _, ok := ctx.Message().(*actor.Started); ok {
				boom(broken)
			}
		},
		"Assigned": func(ctx actor.Context, broken bool) {
			if _, ok := ctx.Message().(*messages.Assigned); ok {
				boom(broken)
			}
		},
		"a child": func(ctx actor.Context, broken bool) {
			if _, ok := ctx.Message().(*actor.Started); ok {
				ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
					if _, ok := ctx.Message().(*actor.Started); ok {
						boom(broken)
					}
				}))
			}
		},
	} {
		for name, c := range map[string]struct {
			do    supervisor.Directive
			made  int32 // in the first 10 s
			retry bool
		}{
			"skip": {supervisor.Skip(), 11, false},
			"park": {supervisor.Park("look"), map[string]int32{"Assigned": 2}[at], true},
		} {
			t.Run(name+" in "+at, func(t *testing.T) {
				var made atomic.Int32
				var healed atomic.Bool
				producer := func() actor.Actor {
					n := made.Add(1)
					return &opener{begin: func(ctx actor.Context) { begin(ctx, n < 100 && !healed.Load()) }} // at 100 it spins: let the test end
				}
				consumertest.Run(t, config{Actor: producer, Policy: always(c.do)}, func(t *testing.T, k *kit) {
					p := k.Assign("orders", 0)
					p.Append("a")
					k.Advance(10*time.Second + time.Millisecond)
					expect(t, "actors made", made.Load(), max(c.made, 1))
					healed.Store(true)
					if c.retry {
						expect(t, "state", p.Status().State, messages.StateParked)
						if err := p.Retry(0); err != nil {
							t.Fatal(err)
						}
					}
					k.Advance(time.Second)
					expect(t, "deliveries", len(p.Deliveries()), 1)
					expect(t, "committed", p.Committed(), 1)
				})
			})
		}
	}
}

// What is told of a Skip where there is no record to give up is what is done: an actor that cannot be made leaves nobody
// who could go on, so the partition parks; a start is tried again.
func TestASkipWithoutARecordSaysWhatItDoes(t *testing.T) {
	t.Run("actor", func(t *testing.T) {
		cfg := config{Actor: func() actor.Actor { panic(errBoom) }, Policy: always(supervisor.Skip())}
		consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
			p := k.Assign("orders", 0)
			p.Append("a")
			expect(t, "state", p.Status().State, messages.StateParked)
			if e := eventsOf[*messages.Parked](k); len(e) != 1 || e[0].Reason == "" {
				t.Errorf("events %+v", e)
			}
			if f := p.Failures(); len(f) != 1 || f[0].Decision.Action != messages.ActionPark {
				t.Errorf("failures %+v", f)
			}
			expect(t, "said to be committed", logged(k, "given up and committed"), false)
		})
	})
	t.Run("start", func(t *testing.T) {
		cfg := config{Handler: consumertest.Script(), Policy: always(supervisor.Skip())}
		consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
			k.FailStarts(1, errBoom)
			p := k.Assign("orders", 0)
			p.Append("a")
			expect(t, "said to be committed", logged(k, "given up and committed"), false)
			expect(t, "said to be tried again", logged(k, "Partition failed", "tried again after 1s"), true)
			k.Advance(time.Second)
			expect(t, "committed", p.Committed(), 1)
		})
	})
}

// opener may fail when it begins. Its children's failures are its own.
type opener struct{ begin func(actor.Context) }

func (o *opener) Receive(ctx actor.Context) {
	if r, ok := ctx.Message().(*messages.Record); ok {
		r.Complete(nil)
		return
	}
	o.begin(ctx)
}

func (o *opener) HandleFailure(_ *actor.ActorSystem, s actor.Supervisor, _ *actor.PID, _ *actor.RestartStatistics, reason, message any) {
	s.EscalateFailure(reason, message)
}

// talker is an actor that panics at a message, and stops itself at another one.
type talker struct{ got *[]any }

func (a *talker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Record:
		m.Complete(nil)
	case string:
		*a.got = append(*a.got, m)
		switch m {
		case "panic":
			panic("boom")
		case "stop":
			ctx.Stop(ctx.Self())
		}
	}
}

func TestAControlMessageThatPanicsCostsNoRecord(t *testing.T) {
	var got []any
	cfg := config{Actor: func() actor.Actor { return &talker{&got} }, Policy: always(supervisor.Restart(every(time.Second)))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.Send("panic")
		p.Append("b")
		expect(t, "while the actor waits for its restart", attempts(p), "0#0/1")
		k.Advance(time.Second)
		p.Send("hello")
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/2")
		expect(t, "committed", p.Committed(), 2)
		if want := []any{"panic", "hello"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Faults of the claim are counted on a counter of their own. It begins anew when the partition has worked since: an
// actor that panics once a week at a message must not be away for an hour at the fifth time.
func TestFaultsFarApartAreNotAdded(t *testing.T) {
	var got []any
	consumertest.Run(t, config{Actor: func() actor.Actor { return &talker{&got} }}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		for i := range 6 {
			p.Append("a")
			k.Advance(24 * time.Hour)
			p.Send("panic")
			k.Advance(10 * time.Second)
			expect(t, "incarnation", p.Status().Incarnation, i+2)
		}
	})
}

func TestAnActorThatStopsItself(t *testing.T) {
	for name, c := range map[string]struct {
		do    supervisor.Directive
		after time.Duration
		retry bool
	}{
		"restart": {supervisor.Restart(every(time.Second)), time.Second, false},
		"retry":   {supervisor.Retry(every(time.Second)), time.Second, false},
		"skip":    {supervisor.Skip(), time.Second, false},
		"park":    {supervisor.Park("look"), time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			var got []any
			cfg := config{Actor: func() actor.Actor { return &talker{&got} }, Policy: always(c.do)}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				p.Send("stop")
				p.Append("b")
				k.Advance(c.after - 1)
				expect(t, "while it is gone", attempts(p), "0#0/1")
				f := p.Failures()
				if len(f) != 1 || f[0].Failure.Class != messages.ClassActorStopped || f[0].Failure.Offset != -1 {
					t.Fatalf("failures %+v", f)
				}
				k.Advance(1)
				if c.retry {
					expect(t, "state", p.Status().State, messages.StateParked)
					if err := p.Retry(0); err == nil {
						t.Error("a command for another head was not refused")
					}
					if err := p.Retry(1); err != nil {
						t.Fatal(err)
					}
				}
				expect(t, "deliveries", attempts(p), "0#0/1 1#0/2")
				expect(t, "committed", p.Committed(), 2)
			})
		})
	}
}

// A poison pill to a partition's actor, from somebody who got hold of its PID, is not the end of the partition.
func TestAnActorThatIsStoppedFromOutside(t *testing.T) {
	var pid *actor.PID
	producer := func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				pid = ctx.Self()
			case *messages.Record:
				m.Complete(nil)
			}
		})
	}
	consumertest.Run(t, config{Actor: producer}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.System().Root.Poison(pid)
		p.Append("b")
		k.Advance(10 * time.Second)
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/2")
	})
}

// Both of a claim's faults wait at the same time: its start cannot be read, and its actor cannot be made. Neither may
// forget the other.
func TestTwoFaultsOfOneClaim(t *testing.T) {
	made := 0
	producer := func() actor.Actor {
		if made++; made == 1 {
			panic("no database yet")
		}
		return &tally{on: func(int, *messages.Record) error { return nil }}
	}
	for name, delays := range map[string][2]time.Duration{"start first": {time.Second, time.Minute}, "actor first": {time.Minute, time.Second}} {
		t.Run(name, func(t *testing.T) {
			made = 0
			cfg := config{Actor: producer, Policy: supervisor.Policy{
				supervisor.On(supervisor.Panic(), supervisor.Restart(every(delays[1]))),
				supervisor.On(supervisor.Any(), supervisor.Retry(every(delays[0]))),
			}}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				k.FailStarts(1, errBoom)
				p := k.Assign("orders", 0)
				p.Append("a")
				k.Advance(2 * time.Minute)
				expect(t, "deliveries", attempts(p), "0#0/2")
			})
		})
	}
}

func TestAProducerThatAnswersNil(t *testing.T) {
	made := 0
	producer := func() actor.Actor {
		if made++; made == 1 {
			return nil
		}
		return &tally{on: func(int, *messages.Record) error { return nil }}
	}
	consumertest.Run(t, config{Actor: producer, Policy: always(supervisor.Restart(every(time.Second)))}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Advance(time.Second)
		expect(t, "deliveries", attempts(p), "0#0/2")
	})
}

// nanny has a child that fails; its strategy escalates.
type nanny struct {
	actor.SupervisorStrategy
	child *actor.PID
}

func (n *nanny) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		n.child = ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch ctx.Message() {
			case "panic":
				panic("child")
			case "ping":
				ctx.Respond("pong")
			}
		}))
	case *messages.Record:
		m.Complete(nil)
	case string:
		if m == "ping" {
			ctx.Forward(n.child)
		} else {
			ctx.Send(n.child, m)
		}
	}
}

// A child of a partition's actor fails, and the actor's own strategy escalates. The child stays suspended in
// protoactor until the actor is restarted, so Retry must not only resume the actor.
func TestAUsersChildEscalates(t *testing.T) {
	producer := func() actor.Actor {
		return &nanny{SupervisorStrategy: actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.EscalateDirective })}
	}
	consumertest.Run(t, config{Actor: producer}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.Send("panic")
		k.Advance(time.Minute)
		p.Append("b")
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/2")
		f := k.System().Root.RequestFuture(k.PID(), &messages.Forward{Topic: "orders", Partition: 0, Message: "ping"}, time.Second)
		if answer, err := f.Result(); err != nil || answer != "pong" {
			t.Errorf("the child answers %v, %v", answer, err)
		}
	})
}
