package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// book is written in by handlers and hooks of several partitions.
type book struct {
	mu    sync.Mutex
	lines []string
}

func (b *book) add(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, fmt.Sprintf(format, args...))
}

// String is the lines, sorted: partitions have no order.
func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(b.lines)), ", ")
}

// told writes down the hooks' calls.
func told(cfg *config) *book {
	b := &book{}
	cfg.Hooks.Assigned = func(_ context.Context, c messages.Claim) error {
		b.add("assigned %d", c.Partition)
		return nil
	}
	cfg.Hooks.Revoked = func(r messages.Revoked) { b.add("revoked %d %v", r.Claim.Partition, r.Reason) }
	cfg.Hooks.Lost = func(l messages.Lost) { b.add("lost %d %v", l.Claim.Partition, l.Err) }
	return b
}

func TestARevocationDuringAnHourOfBackoff(t *testing.T) {
	boom := func(context.Context, *messages.Record) error { return errBoom }
	cfg := config{Handler: boom, Policy: always(supervisor.Retry(every(time.Hour)))}
	hooks := told(&cfg)
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		expect(t, "state", p.Status().State, messages.StateHolding)
		expect(t, "release took", p.Revoke(), 0)
		expect(t, "hooks", hooks.String(), "assigned 0, revoked 0 Rebalance")
		if c := lastCommit(t, p); c.Next != 0 || c.Attempt != 1 {
			t.Errorf("last commit %+v", c)
		}
	})
}

func TestARevocationOfAParkedPartition(t *testing.T) {
	boom := func(context.Context, *messages.Record) error { return errBoom }
	consumertest.Run(t, config{Handler: boom, Policy: always(supervisor.Park("look"))}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		expect(t, "release took", p.Revoke(), 0)
		if c := lastCommit(t, p); c.Next != 0 || c.Attempt != 1 || !c.Parked || c.Reason != "look" {
			t.Errorf("last commit %+v", c)
		}
	})
}

func TestASlowHandlerThatIsInTime(t *testing.T) {
	cfg := config{Handler: consumertest.Script(consumertest.OK(), consumertest.Work(10*time.Second))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		expect(t, "release took", p.RevokeWithin(30*time.Second), 10*time.Second)
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1")
		expect(t, "committed", p.Committed(), 2)
		next := k.Assign("orders", 0)
		expect(t, "the next owner's", attempts(next), "2#0/1")
		if n := len(eventsOf[*messages.Abandoned](k)); n > 0 {
			t.Errorf("%d handlers abandoned", n)
		}
	})
}

// The deadline is over: the context ends with ErrRevoked, and a handler that heeds it costs no failure.
func TestASlowHandlerThatHeedsItsContext(t *testing.T) {
	var cause error
	handler := func(ctx context.Context, r *messages.Record) error {
		if r.Offset == 1 {
			cause = consumertest.UntilCancelled()(ctx, r)
			return errors.Join(errOther, cause)
		}
		return nil
	}
	consumertest.Run(t, config{Handler: handler}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		expect(t, "release took", p.RevokeWithin(30*time.Second), 30*time.Second)
		if !errors.Is(cause, messages.ErrRevoked) {
			t.Errorf("the context ended with %v", cause)
		}
		expect(t, "failures", len(p.Failures()), 0)
		if c := lastCommit(t, p); c.Next != 1 || c.Attempt != 0 {
			t.Errorf("last commit %+v: an attempt that was called off does not count", c)
		}
	})
}

// The deadline is over and the handler ignores its context: it is abandoned after a grace. The rebalance goes on, the
// supervisor can end, and what the handler still does moves no offset, also when the partition has come back.
func TestAHandlerThatDoesNotReturn(t *testing.T) {
	for name, outcome := range map[string]consumertest.Outcome{
		"then finishes": consumertest.OK(), "then fails": consumertest.Fail(errBoom), "then panics": consumertest.Panic("late"), "then exits": consumertest.Goexit(),
	} {
		t.Run(name, func(t *testing.T) {
			first := true
			var late *messages.Record
			handler := func(ctx context.Context, r *messages.Record) error {
				if r.Offset == 1 && first {
					first, late = false, r
					return consumertest.Block().Then(outcome)(ctx, r)
				}
				return nil
			}
			consumertest.Run(t, config{Handler: handler}, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b", "c", "d")
				took := p.RevokeWithin(20 * time.Second)
				if took <= 20*time.Second || took > 24*time.Second {
					t.Errorf("release took %v, want the deadline and a grace within the reserve", took)
				}
				expect(t, "committed before it", p.Committed(), 1)
				a := eventsOf[*messages.Abandoned](k)
				if len(a) != 1 || a[0].Offset != 1 || !errors.Is(a[0].Cause, messages.ErrRevoked) {
					t.Errorf("events %+v", a)
				}

				back := k.Assign("orders", 0) // the partition comes back
				expect(t, "delivered again", attempts(back), "1#0/1 2#0/1 3#0/1")
				expect(t, "committed", back.Committed(), 4)
				commits, failures := len(back.Commits()), len(back.Failures())
				expect(t, "released", p.Release(), 1)
				k.Advance(time.Hour)
				if late.Complete(nil) || !errors.Is(late.Stale(), messages.ErrRevoked) {
					t.Errorf("a late completion counts; stale: %v", late.Stale())
				}
				expect(t, "deliveries of the old claim", attempts(p), "0#0/1 1#0/1")
				expect(t, "deliveries of the new one", attempts(back), "1#0/1 2#0/1 3#0/1")
				expect(t, "commits after the late finish", len(back.Commits()), commits)
				expect(t, "failures after the late finish", len(back.Failures()), failures)
				expect(t, "committed", back.Committed(), 4)
				// It has returned: the drain leaves nobody behind.
				if err := k.Drain(); err != nil {
					t.Errorf("drain: %v", err)
				}
			})
		})
	}
}

func TestTheSupervisorEndsBesideAHandlerThatDoesNotReturn(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Block())}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.RevokeWithin(time.Second)
		began := k.Now()
		err := k.Drain()
		var blocked *messages.DrainError
		if !errors.As(err, &blocked) || !slices.Equal(blocked.Blocked, []string{"orders/0@0"}) {
			t.Errorf("drain: %v", err)
		}
		expect(t, "drain took", k.Now()-began, 0)
	})
}

func TestLostEndsEverythingAtOnce(t *testing.T) {
	var cause error
	handler := func(ctx context.Context, r *messages.Record) error {
		if r.Offset < 1 {
			return nil
		}
		cause = consumertest.UntilCancelled()(ctx, r)
		return nil // finished, it says; but somebody else may have the partition
	}
	cfg := config{Handler: handler}
	hooks := told(&cfg)
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, other := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Append("a", "b", "c")
		p.Lose(errOther)
		if !errors.Is(cause, messages.ErrLost) {
			t.Errorf("the context ended with %v", cause)
		}
		expect(t, "hooks", hooks.String(), "assigned 0, assigned 1, lost 0 something else")
		expect(t, "committed", p.Committed(), 1)
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1")
		lost := eventsOf[*messages.ClaimLost](k)
		if len(lost) != 1 || lost[0].Claim != p.Claim() || !errors.Is(lost[0].Err, errOther) {
			t.Errorf("events %+v", lost)
		}
		if n := len(eventsOf[*messages.ClaimRevoked](k)); n > 0 {
			t.Errorf("%d claims told revoked", n)
		}
		other.Append("x")
		expect(t, "another partition's", other.Committed(), 1)
	})
}

// Lost in the middle of a commit: what has not been sent is not sent any more.
func TestLostWhileACommitIsUnderWay(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		k.CommitTime(time.Second)
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		p.Lose(errOther)
		k.Advance(time.Minute)
		expect(t, "committed", p.Committed(), -1)
		final := eventsOf[*messages.CommitFailed](k)
		if len(final) != 1 || !final[0].Final {
			t.Errorf("events %+v", final)
		}
	})
}

func TestLostWithAHandlerThatDoesNotReturn(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Block())}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.Lose(errOther)
		back := k.Assign("orders", 0)
		expect(t, "the old handler still runs: the new claim's deliveries", attempts(back), "")
		k.Advance(5 * time.Second) // the grace
		expect(t, "after the grace", attempts(back), "0#0/1")
		expect(t, "committed", back.Committed(), 1)
		p.Release()
		expect(t, "commits of the lost claim", len(p.Commits()), 0)
	})
}

func TestARevokedClaimThatIsLost(t *testing.T) {
	cfg := config{Handler: consumertest.Script(consumertest.Work(2 * time.Second))}
	hooks := told(&cfg)
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.StartRevoke(time.Minute)
		k.Advance(time.Second)
		p.Lose(errOther)
		k.Advance(time.Minute)
		expect(t, "committed", p.Committed(), -1)
		if n := len(eventsOf[*messages.ClaimLost](k)); n != 1 {
			t.Errorf("%d claims told lost", n)
		}
		// It was lost before it could be told that it was revoked.
		expect(t, "hooks", hooks.String(), "assigned 0, lost 0 something else")
	})
}

// A partition is assigned again while the old claim of it still ends: the new claim waits, so that no two handlers run
// on one partition.
func TestAssignedAgainWhileTheOldClaimEnds(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Work(10 * time.Second))}, func(t *testing.T, k *kit) {
		old := k.Assign("orders", 0)
		old.Append("a", "b")
		old.StartRevoke(time.Minute)
		again := k.Assign("orders", 0)
		k.Advance(10*time.Second - 1)
		expect(t, "before the old one has ended", attempts(again), "")
		k.Advance(1)
		expect(t, "afterwards", attempts(again), "1#0/1")
		expect(t, "committed", again.Committed(), 2)
	})
}

// The claim that waits is revoked, or lost, before its turn has come.
func TestAClaimThatWaitsIsTakenAway(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Work(10 * time.Second))}, func(t *testing.T, k *kit) {
		old := k.Assign("orders", 0)
		old.Append("a", "b")
		old.StartRevoke(time.Minute)
		second := k.Assign("orders", 0)
		expect(t, "release of the one that waits took", second.Revoke(), 0)
		third := k.Assign("orders", 0)
		third.Lose(errOther)
		fourth := k.Assign("orders", 0)
		k.Advance(10 * time.Second)
		expect(t, "second", attempts(second), "")
		expect(t, "third", attempts(third), "")
		expect(t, "fourth", attempts(fourth), "1#0/1")
	})
}

// Released in time: also while the start of the claim is being looked up, by a store that does not answer.
func TestARevocationDuringTheStart(t *testing.T) {
	asked := make(chan struct{}, 1)
	cfg := config{Handler: consumertest.Script()}
	cfg.Offsets.Store, cfg.Offsets.Start = silentStore{asked}, earliest
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		if len(asked) != 1 {
			t.Fatal("the store was not asked")
		}
		expect(t, "state", p.Status().State, messages.StateAwaitingSeek)
		expect(t, "release took", p.Revoke(), 0)
	})
}

// A claim whose start is tried again in an hour, and an actor that is restarted in an hour, are released at once.
func TestARevocationDuringARepair(t *testing.T) {
	cfg := config{Actor: fragile(1, nil), Policy: always(supervisor.Restart(every(time.Hour)))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		k.FailStarts(1, errBoom)
		p := k.Assign("orders", 0)
		expect(t, "release took", p.Revoke(), 0)
	})
}

// A message that panics makes the actor wait an hour for its restart. It is told of the revocation all the same.
func TestARevocationWhileTheActorWaitsForItsRestart(t *testing.T) {
	var got []string
	producer := func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *messages.Revoked:
				got = append(got, "revoked")
			case *messages.Record:
				m.Complete(nil)
			case string:
				panic(m)
			}
		})
	}
	cfg := config{Actor: producer, Policy: always(supervisor.Restart(every(time.Hour)))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.Send("boom")
		expect(t, "release took", p.Revoke(), 0)
		expect(t, "told", strings.Join(got, ", "), "revoked")
		expect(t, "committed", p.Committed(), 1)
	})
}

// A record fails, panics, while its partition is being given up: what the policy says of it still counts, the next owner
// sees it, and the hook is called.
func TestAFailureWhileTheClaimIsGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		outcome consumertest.Outcome
		do      supervisor.Directive
		next    int64
		attempt int
		parked  bool
	}{
		"retry":   {consumertest.Fail(errBoom), supervisor.Retry(every(time.Hour)), 0, 1, false},
		"restart": {consumertest.Panic("boom"), supervisor.Restart(every(time.Hour)), 0, 1, false},
		"exit":    {consumertest.Goexit(), supervisor.Restart(every(time.Hour)), 0, 1, false},
		"skip":    {consumertest.Fail(errBoom), supervisor.Skip(), 1, 0, false},
		"park":    {consumertest.Fail(errBoom), supervisor.Park("look"), 0, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config{Handler: consumertest.Script(consumertest.Work(5 * time.Second).Then(c.outcome)), Policy: always(c.do)}
			hooks := told(&cfg)
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b")
				expect(t, "release took", p.RevokeWithin(time.Minute), 5*time.Second)
				expect(t, "failures", len(p.Failures()), 1)
				if got := lastCommit(t, p); got.Next != c.next || got.Attempt != c.attempt || got.Parked != c.parked {
					t.Errorf("last commit %+v", got)
				}
				expect(t, "hooks", hooks.String(), "assigned 0, revoked 0 Rebalance")
			})
		})
	}
}

// Commits cannot be made any more: the release is not held up for longer than a part of the reserve beyond the deadline.
func TestARevocationWithoutACoordinator(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		k.FailCommits(-1, errBoom)
		p := k.Assign("orders", 0)
		p.Append("a")
		took := p.RevokeWithin(10 * time.Second)
		if took < 10*time.Second || took > 15*time.Second {
			t.Errorf("release took %v", took)
		}
		if !logged(k, "could not be committed") {
			t.Error("not in the log")
		}
	})
}

// silentStore answers when the claim ends.
type silentStore struct{ asked chan struct{} }

func (s silentStore) Acquire(ctx context.Context, _ messages.Claim) (p consumertest.Position, err error) {
	s.asked <- struct{}{}
	<-ctx.Done()
	return p, ctx.Err()
}
