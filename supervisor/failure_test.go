package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
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
