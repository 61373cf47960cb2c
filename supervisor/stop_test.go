package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	causes := &book{}
	handler := func(ctx context.Context, r *messages.Record) error {
		err := consumertest.Work(10*time.Second)(ctx, r)
		causes.add("%v", context.Cause(ctx))
		return err
	}
	cfg := config{Handler: handler}
	hooks := told(&cfg)
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		a, b := k.Assign("orders", 0), k.Assign("orders", 1)
		a.Append("a", "b")
		k.Advance(5 * time.Second)
		b.Append("x")
		k.Tell(&messages.Drain{})
		st := k.Status()
		expect(t, "phase", st.Phase, "draining")
		expect(t, "ready", st.Health.Ready, false)
		expect(t, "live", st.Health.Live, true)
		if err := k.Wait(); err != nil {
			t.Errorf("drain: %v", err)
		}
		expect(t, "took until", k.Now(), 15*time.Second)
		expect(t, "committed", [2]int64{a.Committed(), b.Committed()}, [2]int64{1, 1})
		expect(t, "causes for which the contexts ended", causes.String(), "<nil>, <nil>")
		expect(t, "hooks", hooks.String(), "assigned 0, assigned 1, revoked 0 Shutdown, revoked 1 Shutdown")
		expect(t, "left", a.Owned() || b.Owned(), false)
	})
}

func TestADrainHasADeadline(t *testing.T) {
	var cause error
	handler := func(ctx context.Context, r *messages.Record) error {
		if r.Partition == 1 {
			return consumertest.Block()(ctx, r)
		}
		cause = consumertest.UntilCancelled()(ctx, r)
		return cause
	}
	consumertest.Run(t, config{Handler: handler}, func(t *testing.T, k *kit) {
		heeding, stuck := k.Assign("orders", 0), k.Assign("orders", 1)
		heeding.Append("a")
		stuck.Append("x")
		k.Tell(&messages.Drain{Timeout: 7 * time.Second})
		k.Tell(&messages.Drain{}) // the second one changes nothing
		err := k.Wait()
		if !errors.Is(cause, messages.ErrStopped) {
			t.Errorf("the context ended with %v", cause)
		}
		var blocked *messages.DrainError
		if !errors.As(err, &blocked) || !slices.Equal(blocked.Blocked, []string{"orders/1@0"}) {
			t.Errorf("drain: %v", err)
		}
		if k.Now() <= 7*time.Second || k.Now() > 12*time.Second {
			t.Errorf("took %v", k.Now())
		}
		expect(t, "committed", heeding.Committed(), -1)
	})
}

// A second signal is faster than the first: contexts end at once.
func TestStopAfterADrain(t *testing.T) {
	var cause error
	handler := func(ctx context.Context, r *messages.Record) error {
		if r.Offset == 0 {
			return nil
		}
		cause = consumertest.UntilCancelled()(ctx, r)
		return cause
	}
	consumertest.Run(t, config{Handler: handler}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		k.Tell(&messages.Drain{})
		k.Advance(5 * time.Second)
		if err := k.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		expect(t, "took until", k.Now(), 5*time.Second)
		if !errors.Is(cause, messages.ErrStopped) {
			t.Errorf("the context ended with %v", cause)
		}
		expect(t, "committed", p.Committed(), 1)
		expect(t, "left", p.Owned(), false)
	})
}

func TestStopWithAHandlerThatDoesNotReturn(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Block())}, func(t *testing.T, k *kit) {
		k.Assign("orders", 0).Append("a")
		err := k.Stop()
		var blocked *messages.DrainError
		if !errors.As(err, &blocked) {
			t.Errorf("stop: %v", err)
		}
		if k.Now() > 3*time.Second {
			t.Errorf("took %v", k.Now())
		}
	})
}

// Stop, and the coordinator is away: the flush is waited for a part of the reserve, not for the drain's deadline.
func TestStopWithoutACoordinator(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		k.FailCommits(-1, errBoom)
		k.Assign("orders", 0).Append("a")
		k.Tell(&messages.Drain{})
		k.Advance(time.Second)
		err := k.Stop()
		var drained *messages.DrainError
		if !errors.As(err, &drained) || !slices.Equal(drained.Uncommitted, []string{"orders/0"}) || drained.Blocked != nil {
			t.Errorf("stop: %v", err)
		}
		if k.Now() > 6*time.Second {
			t.Errorf("took %v", k.Now())
		}
	})
}

// Kill does nothing that a crash would not do, and waits for nobody.
func TestKill(t *testing.T) {
	for name, before := range map[string]func(*kit){
		"running":  func(*kit) {},
		"draining": func(k *kit) { k.Tell(&messages.Drain{}) },
		"leaving": func(k *kit) {
			k.LeaveTakes(time.Hour, nil)
			k.Tell(&messages.Stop{})
			k.Advance(5 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var cause error
			handler := func(ctx context.Context, r *messages.Record) error {
				cause = consumertest.UntilCancelled()(ctx, r)
				return cause
			}
			cfg := config{Handler: handler}
			hooks := told(&cfg)
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				before(k)
				began := k.Now()
				if err := k.Kill(); !errors.Is(err, messages.ErrKilled) {
					t.Errorf("kill: %v", err)
				}
				expect(t, "took", k.Now()-began, 0)
				if !errors.Is(cause, messages.ErrStopped) {
					t.Errorf("the context ended with %v", cause)
				}
				expect(t, "committed", max(p.Committed(), 0), 0)
				if name != "leaving" {
					expect(t, "hooks", hooks.String(), "assigned 0")
				}
			})
		})
	}
}

// What was assigned, but has not begun, is released by a drain, too.
func TestDrainReleasesClaimsThatWait(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Work(5 * time.Second))}, func(t *testing.T, k *kit) {
		old := k.Assign("orders", 0)
		old.Append("a")
		old.StartRevoke(time.Minute)
		waiting := k.Assign("orders", 0)
		if err := k.Drain(); err != nil {
			t.Errorf("drain: %v", err)
		}
		expect(t, "took until", k.Now(), 5*time.Second)
		expect(t, "deliveries", attempts(waiting), "")
		expect(t, "left", waiting.Owned(), false)
	})
}

func TestADrainDuringARevocation(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Work(5 * time.Second))}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		p.StartRevoke(time.Minute)
		if err := k.Drain(); err != nil {
			t.Errorf("drain: %v", err)
		}
		expect(t, "took until", k.Now(), 5*time.Second)
		expect(t, "committed", p.Committed(), 1)
	})
}

// A rebalance with less time comes in the middle of a drain.
func TestARevocationDuringADrain(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.UntilCancelled())}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Tell(&messages.Drain{Timeout: time.Hour})
		p.StartRevoke(3 * time.Second)
		if err := k.Wait(); err != nil {
			t.Errorf("drain: %v", err)
		}
		expect(t, "took until", k.Now(), 3*time.Second)
	})
}

// The group does not answer the leave, or refuses it: the end comes all the same, and is not called a clean drain.
func TestALeaveThatIsNotAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		err   error
		cause error
	}{
		"not answered": {24 * time.Hour, nil, context.DeadlineExceeded},
		"refused":      {0, errOther, errOther},
	} {
		t.Run(name, func(t *testing.T) {
			consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
				k.LeaveTakes(c.takes, c.err)
				k.Assign("orders", 0).Append("a")
				err := k.Drain()
				var left *messages.LeaveError
				if !errors.As(err, &left) || !errors.Is(err, c.cause) {
					t.Errorf("drain: %v", err)
				}
				if k.Now() > time.Minute {
					t.Errorf("took %v", k.Now())
				}
				if !logged(k, "not left in order") {
					t.Error("not in the log")
				}
			})
		})
	}
}

// A drain may have the patience of an hour. A stop behind it has that of a stop, also with the group's answer.
func TestStopShortensTheLeaveOfALongDrain(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		k.LeaveTakes(24*time.Hour, nil)
		k.Assign("orders", 0).Append("a")
		k.Tell(&messages.Drain{Timeout: time.Hour})
		k.Advance(time.Minute)
		for range 60 { // said again and again, it does not begin anew
			k.Tell(&messages.Stop{})
			k.Advance(time.Second)
		}
		expect(t, "ends", k.Ends(), 1)
		var left *messages.LeaveError
		if err := k.Wait(); !errors.As(err, &left) {
			t.Errorf("ended with %v", err)
		}
	})
}

// What comes in the middle of an end brings it forward, or changes nothing: a grace, or the patience with a commit, that
// has begun does not begin anew.
func TestNoEndIsPutOff(t *testing.T) {
	for name, c := range map[string]struct {
		handler consumertest.Outcome
		between func(k *kit, p *partition)
	}{
		"stops, one behind another": {consumertest.Block(), func(k *kit, _ *partition) {
			for range 60 {
				k.Tell(&messages.Stop{})
				k.Advance(time.Second)
			}
		}},
		"stops while commits fail": {consumertest.OK(), func(k *kit, _ *partition) {
			k.FailCommits(-1, errBoom)
			k.Produce("orders", 0, "b")
			for range 60 {
				k.Tell(&messages.Stop{})
				k.Advance(time.Second)
			}
		}},
		"revoked, lost, then a drain": {consumertest.Block(), func(k *kit, p *partition) {
			p.StartRevoke(time.Hour)
			k.Advance(time.Second)
			p.Lose(errOther)
			k.Tell(&messages.Drain{Timeout: 50 * time.Minute})
			k.Advance(time.Minute)
		}},
		"revoked, overdue, then lost": {consumertest.Block(), func(k *kit, p *partition) {
			p.StartRevoke(time.Second)
			k.Advance(2900 * time.Millisecond)
			k.Tell(&messages.Drain{Timeout: 50 * time.Minute})
			p.Lose(errOther)
			k.Advance(200 * time.Millisecond) // within the grace, and no more than one of them
		}},
	} {
		t.Run(name, func(t *testing.T) {
			consumertest.Run(t, config{Handler: consumertest.Script(c.handler)}, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				c.between(k, p)
				expect(t, "ends", k.Ends(), 1)
			})
		})
	}
}

// The claim is being flushed as the kill comes. Its records count once, and nobody is told that it was lost.
func TestKillDuringAFlush(t *testing.T) {
	cfg := config{Handler: consumertest.Script()}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		k.FailCommits(-1, errBoom)
		k.Assign("orders", 0).Append("a")
		k.Tell(&messages.Drain{})
		k.Advance(time.Second)
		if err := k.Kill(); !errors.Is(err, messages.ErrKilled) {
			t.Errorf("kill: %v", err)
		}
		expect(t, "claims told lost", len(eventsOf[*messages.ClaimLost](k)), 0)
		expect(t, "claims told revoked", len(eventsOf[*messages.ClaimRevoked](k)), 0)
	})
}

// The group refuses the member for good: everything is lost, and Run says why.
func TestTheMembershipEnds(t *testing.T) {
	handler := func(ctx context.Context, r *messages.Record) error { return consumertest.UntilCancelled()(ctx, r) }
	consumertest.Run(t, config{Handler: handler}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Expel(errOther)
		if err := k.Wait(); !errors.Is(err, errOther) {
			t.Errorf("ended with %v", err)
		}
		expect(t, "committed", p.Committed(), -1)
		if n := len(eventsOf[*messages.ClaimLost](k)); n != 1 {
			t.Errorf("%d claims told lost", n)
		}
	})
}

// The same during a drain: what was in flight counts as lost, and the drain was not a clean one.
func TestTheMembershipEndsDuringADrain(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Work(10 * time.Second))}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Tell(&messages.Drain{})
		k.Expel(errOther)
		err := k.Wait()
		var drained *messages.DrainError
		if !errors.As(err, &drained) || !slices.Equal(drained.Uncommitted, []string{"orders/0"}) || !errors.Is(err, errOther) {
			t.Errorf("ended with %v", err)
		}
		expect(t, "committed", p.Committed(), -1)
		expect(t, "claims told lost", len(eventsOf[*messages.ClaimLost](k)), 1)
		if k.Now() >= 10*time.Second {
			t.Errorf("took %v: a lost claim is not waited for", k.Now())
		}
	})
}

func TestAConnectorThatFails(t *testing.T) {
	for name, connect := range map[string]supervisor.Connector{
		"error": func(supervisor.Inbox) (supervisor.Link, error) { return supervisor.Link{}, errOther },
		"panic": func(supervisor.Inbox) (supervisor.Link, error) { panic(errOther) },
	} {
		t.Run(name, func(t *testing.T) {
			setup := consumertest.Setup{
				Config: config{Handler: consumertest.Script()},
				Adjust: func(set *supervisor.Settings) { set.Connect = connect },
			}
			setup.Run(t, func(t *testing.T, k *kit) {
				if err := k.Wait(); err == nil || !strings.Contains(err.Error(), errOther.Error()) {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

// Messages after the end are not answered by somebody who waits for ever.
func TestAfterTheEnd(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		if err := k.Drain(); err != nil {
			t.Error(err)
		}
		if err := p.Retry(0); err == nil {
			t.Error("a command after the end was carried out")
		}
		if f := k.System().Root.RequestFuture(k.PID(), &actor.Touch{}, time.Second); f.Wait() == nil {
			t.Error("the actor is still there")
		}
	})
}

// A handler is abandoned by the drain and returns before the end, because the group is slow to answer the leave. Its
// record was not committed all the same: the end is not a clean one.
func TestAHandlerThatReturnsAfterItWasAbandoned(t *testing.T) {
	cfg := config{Handler: consumertest.Script(consumertest.Work(15 * time.Second)), DrainTimeout: 10 * time.Second}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		k.LeaveTakes(7*time.Second, nil)
		p := k.Assign("orders", 0)
		p.Append("a")
		var drained *messages.DrainError
		if err := k.Drain(); !errors.As(err, &drained) || !slices.Equal(drained.Uncommitted, []string{"orders/0"}) {
			t.Errorf("the drain ended with %v", err)
		}
	})
}
