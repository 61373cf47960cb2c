package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

var errDown = errors.New("the database is down")

// fragile is an actor that panics in its first Started if told so, and at the message "boom"; it stops itself at the
// message "stop". Records are answered by on, else finished.
func fragile(broken int, on func(*messages.Record) error) func() actor.Actor {
	var mu sync.Mutex
	made := 0
	return func() actor.Actor {
		mu.Lock()
		made++
		n := made
		mu.Unlock()
		return receiver(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				if n <= broken {
					panic("no connection")
				}
			case *messages.Record:
				if on == nil {
					_ = m.Complete(nil)
				} else {
					_ = m.Complete(on(m))
				}
			case string:
				switch m {
				case "boom":
					panic(m)
				case "stop":
					ctx.Stop(ctx.Self())
				}
			}
		})
	}
}

type receiver func(actor.Context)

func (r receiver) Receive(ctx actor.Context) { r(ctx) }

// A database that is down fails the actor's Started and the claim's start at the same moment. Each waits for its own
// delay: with one timer for both, the second wait threw the first away, and the partition stood still for ever,
// suspended or without a start.
func TestTheStartAndTheActorFailTogether(t *testing.T) {
	cfg := consumer.Config{Actor: fragile(1, nil)}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		k.FailStarts(1, errDown)
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		k.Advance(time.Hour)
		if got := p.Offsets(); !slices.Equal(got, []int64{0, 1}) {
			t.Errorf("delivered %v, want 0 and 1; %+v", got, p.Status())
		}
	})
}

// A partition that waits to be acquired again does so although its actor fails, at something else, meanwhile.
func TestFencedWhileTheActorFails(t *testing.T) {
	store := &consumertest.Store{}
	store.Set("orders", 0, 0)
	cfg := consumer.Config{Actor: fragile(0, store.Save), Offsets: consumer.Offsets{Store: store, Start: consumer.Earliest}}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		store.Fence("orders", 0)
		p.Append("a")
		p.Send("boom")
		k.Advance(time.Hour)
		if got := store.Next("orders", 0); got != 1 {
			t.Errorf("the store stands at %d, want 1; %+v", got, p.Status())
		}
	})
}

// A start that is parked is tried again on command, also when the actor has failed at something else meanwhile.
func TestAParkedStartSurvivesAFailureOfTheActor(t *testing.T) {
	cfg := consumer.Config{Actor: fragile(0, nil), Policy: supervisor.Policy{
		supervisor.On(supervisor.Class(messages.ClassStore), supervisor.Park("the store is away")),
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		k.FailStarts(1, errDown)
		p := k.Assign("orders", 0)
		p.Append("a")
		p.Send("boom")
		k.Advance(time.Hour)
		if err := p.Retry(-1); err != nil {
			t.Errorf("retry: %v", err)
		}
		if got := p.Offsets(); !slices.Equal(got, []int64{0}) {
			t.Errorf("delivered %v, want 0; %+v", got, p.Status())
		}
	})
}

// One command brings back a partition that is parked because its actor has stopped itself.
func TestOneRetryRespawnsAParkedActor(t *testing.T) {
	cfg := consumer.Config{Actor: fragile(0, nil), Policy: supervisor.Policy{
		supervisor.On(supervisor.Class(messages.ClassActorStopped), supervisor.Park("it stopped")),
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Send("stop")
		p.Append("a")
		if err := p.Retry(0); err != nil {
			t.Errorf("retry: %v", err)
		}
		k.Advance(time.Second)
		if got := p.Offsets(); !slices.Equal(got, []int64{0}) {
			t.Errorf("delivered %v, want 0; %+v", got, p.Status())
		}
	})
}

// A skip that is meant for another record than the head is refused before the store is moved: it would jump over
// everything in between.
func TestASkipForAnotherOffsetDoesNotMoveTheStore(t *testing.T) {
	store := &consumertest.Store{}
	store.Set("orders", 0, 0)
	cfg := consumer.Config{
		Handler: func(context.Context, *messages.Record) error { return errDown },
		Policy:  supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("look at it"))},
		Offsets: consumer.Offsets{Store: store, Start: consumer.Earliest},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c", "d", "e")
		if err := p.Skip(3); err == nil {
			t.Error("a skip of 3 was accepted while the head is 0")
		}
		if got := store.Next("orders", 0); got != 0 {
			t.Errorf("the store was moved to %d", got)
		}
		if err := p.Skip(0); err != nil {
			t.Errorf("skip: %v", err)
		}
		if got := store.Next("orders", 0); got != 1 {
			t.Errorf("the store stands at %d, want 1", got)
		}
	})
}

// slowStore's Advance waits for the end of its context.
type slowStore struct{ consumertest.Store }

func (*slowStore) Advance(ctx context.Context, _ messages.Claim, _, _ int64) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// The end of a claim does not wait for a store that does not answer a skip.
func TestKillDoesNotWaitForTheStore(t *testing.T) {
	store := &slowStore{}
	store.Set("orders", 0, 0)
	cfg := consumer.Config{
		Handler: func(context.Context, *messages.Record) error { return errDown },
		Policy:  supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Skip())},
		Offsets: consumer.Offsets{Store: store, Start: consumer.Earliest},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		began := k.Now()
		_ = k.Kill()
		if took := k.Now() - began; took > time.Second {
			t.Errorf("the kill took %v", took)
		}
	})
}

// A failure after the revocation whose skip the store does not answer leaves the actor suspended at the deadline. It is
// stopped all the same.
func TestAnAbandonedActorIsStopped(t *testing.T) {
	store := &slowStore{}
	store.Set("orders", 0, 0)
	stopped := make(chan struct{})
	var once sync.Once
	enter := make(chan struct{})
	cfg := consumer.Config{
		Actor: func() actor.Actor {
			return receiver(func(ctx actor.Context) {
				switch m := ctx.Message().(type) {
				case *messages.Record:
					<-enter
					_ = m.Complete(errDown)
				case *actor.Stopped:
					once.Do(func() { close(stopped) })
				}
			})
		},
		Policy:  supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Skip())},
		Offsets: consumer.Offsets{Store: store, Start: consumer.Earliest},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		enter = make(chan struct{}) // the bubble's
		stopped = make(chan struct{})
		p := k.Assign("orders", 0)
		p.Append("a")
		p.StartRevoke(5 * time.Second)
		close(enter)
		k.Advance(time.Minute)
		select {
		case <-stopped:
		default:
			t.Errorf("the actor lives on; owned: %v", p.Owned())
		}
	})
}

// slowClose is a committer whose claims take a moment to close, so that what their closing sets free gets ahead.
type slowClose struct{ supervisor.Committer }

type slowClosing struct{ supervisor.Commits }

func (c slowClose) Claim(mc messages.Claim) supervisor.Commits {
	return slowClosing{c.Committer.Claim(mc)}
}

func (c slowClosing) Close() {
	c.Commits.Close()
	time.Sleep(time.Millisecond)
}

// With CommitEach the next record waits for the last one's commit, the claim's end, or loss. At a loss, and at a kill,
// the claim's commits are closed, which answers the commit: that must not start a handler for a partition that somebody
// else owns.
func TestNoHandlerStartsForALostClaim(t *testing.T) {
	for name, end := range map[string]func(*consumertest.Kit, *consumertest.Partition){
		"lost": func(_ *consumertest.Kit, p *consumertest.Partition) { p.Lose(errDown) },
		"kill": func(k *consumertest.Kit, _ *consumertest.Partition) { _ = k.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := consumer.Config{Handler: consumertest.Script(), Commit: consumer.Commit{Mode: consumer.CommitEach}}
			consumertest.Setup{Config: cfg, Adjust: func(set *supervisor.Settings) {
				connect := set.Connect
				set.Connect = func(in supervisor.Inbox) (supervisor.Link, error) {
					link, err := connect(in)
					link.Committer = slowClose{link.Committer}
					return link, err
				}
			}}.Run(t, func(t *testing.T, k *consumertest.Kit) {
				k.CommitTime(time.Second)
				p := k.Assign("orders", 0)
				p.Append("a", "b")
				k.Advance(time.Second / 2)
				end(k, p)
				k.Advance(time.Second)
				if got := p.Offsets(); !slices.Equal(got, []int64{0}) {
					t.Errorf("delivered %v, want 0", got)
				}
			})
		})
	}
}

// A plain strategy has stopped the partition (the incarnation is gone), and its source fails, too. One RetryHead ends
// both: before, it asked the source again, and the partition stood still for ever, whatever was commanded.
func TestOneRetryHeadEndsAStopAndABlockedSource(t *testing.T) {
	cfg := config{Handler: func(_ context.Context, r *messages.Record) error {
		if r.Partition == 1 {
			return errBoom
		}
		return nil
	}, Strategy: actor.NewAllForOneStrategy(1000, time.Hour, func(any) actor.Directive { return actor.StopDirective })}
	for name, heal := range map[string]func(p *partition) error{
		"retry": func(p *partition) error { p.FailSource(nil); return p.Retry(0) },
		"skip":  func(p *partition) error { p.FailSource(nil); return p.Skip(0) },
	} {
		t.Run(name, func(t *testing.T) {
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p, other := k.Assign("orders", 0), k.Assign("orders", 1)
				other.Append("x")
				expect(t, "state", p.Status().State, messages.StateParked)
				p.FailSource(errDown)
				p.Append("a", "b")
				expect(t, "state", p.Status().State, messages.StateParked)
				if err := heal(p); err != nil {
					t.Fatal(err)
				}
				expect(t, "deliveries", attempts(p), map[string]string{"retry": "0#0/3 1#0/3", "skip": "1#0/3"}[name])
				expect(t, "state", p.Status().State, messages.StateIdle)
			})
		})
	}
}

// The actor cannot be made, and is parked for that; the claim's start or its source fails as well, and is parked, too.
func TestOneRetryHeadEndsAParkedActorAndAParkedStart(t *testing.T) {
	for name, c := range map[string]struct {
		broken, head int64
		source       bool
		policy       supervisor.Policy
	}{
		"start": {1, -1, false, always(supervisor.Park("look"))},
		"start that is tried again, too": {1, -1, false, supervisor.Policy{
			supervisor.On(supervisor.Panic(), supervisor.Park("look")),
			supervisor.On(supervisor.Any(), supervisor.Retry(every(time.Hour))),
		}},
		"source": {0, 0, true, always(supervisor.Park("look"))},
	} {
		t.Run(name, func(t *testing.T) {
			made := 0
			producer := func() actor.Actor {
				if made++; made == 1 {
					panic(errDown)
				}
				return &tally{on: func(int, *messages.Record) error { return nil }}
			}
			consumertest.Run(t, config{Actor: producer, Policy: c.policy}, func(t *testing.T, k *kit) {
				k.FailStarts(int(c.broken), errDown)
				p := k.Assign("orders", 0)
				if c.source {
					p.FailSource(errDown)
				}
				p.Append("a")
				expect(t, "deliveries", attempts(p), "")
				p.FailSource(nil)
				if err := p.Retry(c.head); err != nil {
					t.Fatal(err)
				}
				expect(t, "deliveries", attempts(p), "0#0/3")
				expect(t, "actors made", made, 2)
			})
		})
	}
}
