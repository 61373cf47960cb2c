package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

func breaks(a *asked) {
	a.judge(messages.Decision{Action: messages.ActionBreak, Delay: 10 * time.Second})
	a.resume()
}

// What becomes of the probe when something else happens to its partition: it is none any more, where it will not come soon;
// and the neighbour is let through when the pace is over, counted from the failure, or from the attempt that said nothing.
func TestBreakerVacancies(t *testing.T) {
	fails := func(context.Context, *messages.Record) error { return errors.New("away") }
	for name, c := range map[string]struct {
		act    func(r *rig)
		stays  bool
		waited time.Duration // since it opened, until the neighbour may
	}{
		"nothing":   {act: func(*rig) {}, stays: true},
		"a message": {act: func(r *rig) { r.send("hello") }, stays: true},
		"a record":  {act: func(r *rig) { r.deliver(1) }, stays: true},
		"parked":    {act: func(r *rig) { r.box.Park("why", messages.ClassHandler) }, waited: 10 * time.Second},
		"paused":    {act: func(r *rig) { r.box.Pause(Pause{By: "ann"}) }, waited: 10 * time.Second},
		"parked by an operator": {act: func(r *rig) {
			if err := r.box.ParkHead(0, "why"); err != nil {
				r.t.Error(err)
			}
		}, waited: 10 * time.Second},
		"revoked":      {act: func(r *rig) { r.box.Revoke(&messages.Revoked{}) }, waited: 10 * time.Second},
		"lost":         {act: func(r *rig) { r.box.Lose(&messages.Lost{}) }, waited: 10 * time.Second},
		"skipped":      {act: func(r *rig) { _ = r.box.SkipHead(0) }, waited: 10 * time.Second},
		"moved":        {act: func(r *rig) { r.box.Reseek(7, 1) }, waited: 10 * time.Second},
		"moved, later": {act: func(r *rig) { time.Sleep(4 * time.Second); r.box.Reseek(7, 1) }, waited: 10 * time.Second},
		"its actor waits": {act: func(r *rig) {
			r.verdict = restart(time.Hour) // the caller waits before it restarts
			r.send("panic")
		}, waited: 10 * time.Second},
		"its actor restarts at once": {act: func(r *rig) {
			r.verdict = restart(0)
			r.send("panic")
		}, stays: true},
		"a child of its actor failed": {act: func(r *rig) { // and the caller waits before it restarts
			r.box.Note(messages.Failure{Offset: -1, Class: messages.ClassHandler}, messages.Decision{Action: messages.ActionRetry, Delay: time.Hour})
		}, waited: 10 * time.Second},
		"a child of its actor failed, which restarts at once": {act: func(r *rig) {
			r.box.Note(messages.Failure{Offset: -1, Class: messages.ClassHandler}, messages.Decision{Action: messages.ActionRetry})
		}, stays: true},
		"its actor is stopped":        {act: func(r *rig) { r.system(&actor.Stop{}) }, waited: 10 * time.Second},
		"its actor is sent a pill":    {act: func(r *rig) { r.sys.Root.Poison(r.child) }, waited: 10 * time.Second},
		"kept, and its actor stopped": {act: func(r *rig) { time.Sleep(12 * time.Second); r.system(&actor.Stop{}) }, waited: 22 * time.Second},
		"kept, and its actor waits": {act: func(r *rig) {
			time.Sleep(12 * time.Second)
			r.verdict = func(a *asked) { a.judge(messages.Decision{Action: messages.ActionRestart, Delay: time.Hour}) }
			r.send("panic")
		}, waited: 22 * time.Second},
		"kept, and a child of its actor failed": {act: func(r *rig) {
			time.Sleep(12 * time.Second)
			r.box.Note(messages.Failure{Offset: -1, Class: messages.ClassHandler}, messages.Decision{Action: messages.ActionRetry, Delay: time.Hour})
		}, waited: 22 * time.Second},
		"kept, and its partition parked for a child": {act: func(r *rig) {
			time.Sleep(12 * time.Second)
			r.box.Note(messages.Failure{Offset: -1, Class: messages.ClassHandler}, messages.Decision{Action: messages.ActionPark})
		}, waited: 22 * time.Second},
		"overdue": {act: func(r *rig) { // its actor is busy with a message
			r.send("busy")
			time.Sleep(70 * time.Second)
		}, waited: 70 * time.Second},
		"kept, and its actor restarts": {act: func(r *rig) {
			time.Sleep(10 * time.Second)
			r.said("1 started", "1 assigned at 0", "1: 0/0", "1: 0/1")
			r.verdict = restart(0)
			r.send("panic")
		}, waited: 20 * time.Second},
		"paused while it is tried": {act: func(r *rig) {
			time.Sleep(12 * time.Second)
			r.box.Pause(Pause{By: "ann"})
			r.box.attempt.record.Complete(errors.New("away"))
			synctest.Wait()
		}, waited: 22 * time.Second},
		"parked by an operator while it is tried": {act: func(r *rig) {
			time.Sleep(12 * time.Second)
			if err := r.box.ParkHead(0, "why"); err != nil {
				r.t.Error(err)
			}
			r.box.attempt.record.Complete(errors.New("away"))
			synctest.Wait()
		}, waited: 22 * time.Second},
		"parked while it is tried": {act: func(r *rig) {
			time.Sleep(12 * time.Second)
			r.box.Park("why", messages.ClassHandler)
			r.box.attempt.record.Complete(errors.New("away"))
			synctest.Wait()
		}, waited: 22 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				b := NewBreaker(func(BreakerChange) {})
				r.set.Breaker = b
				r.verdict = breaks
				r.handle = fails
				r.receive = func(ctx actor.Context) {
					switch msg := ctx.Message().(type) {
					case *messages.Record:
						if msg.Attempt == 0 {
							msg.Complete(errors.New("away"))
							return
						}
						msg.Keep()
					case string:
						switch msg {
						case "panic":
							panic(msg)
						case "busy":
							time.Sleep(75 * time.Second)
						}
					}
				}
				r.withActor()
				began := time.Now()
				r.deliver(0)
				c.act(r)
				synctest.Wait()
				if s := b.State(); !s.Open || (s.Probe != nil) != c.stays {
					t.Fatalf("%+v", s)
				}
				neighbour := &Mailbox{set: r.set}
				if c.stays {
					time.Sleep(time.Hour)
					if ok, _ := b.admit(neighbour); ok {
						t.Error("the neighbour is let through beside the probe")
					}
					return
				}
				r.box.Revoke(&messages.Revoked{}) // it does not compete
				for b.bars(neighbour) {
					time.Sleep(time.Second)
				}
				if waited := time.Since(began); waited != c.waited {
					t.Errorf("the neighbour was let through after %v, want %v", waited, c.waited)
				}
				if ok, probe := b.admit(neighbour); !ok || !probe {
					t.Errorf("admitted %v, as the probe %v", ok, probe)
				}
				time.Sleep(10 * time.Second) // who is busy returns
				b.End()
			})
		})
	}
}

// A SeekTo is an answer: it closes the breaker as success does. Without a breaker nothing is held.
func TestBreakerAnswers(t *testing.T) {
	for name, answer := range map[string]error{"success": nil, "seek": messages.SeekTo(5)} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				var told []BreakerChange
				r.set.Breaker = NewBreaker(func(c BreakerChange) { told = append(told, c) })
				r.set.Seek = func(int64, uint64) {}
				r.verdict = breaks
				r.handle = func(_ context.Context, rec *messages.Record) error {
					if rec.Attempt == 0 && rec.Offset == 0 {
						return errors.New("away")
					}
					return answer
				}
				r.withHandler()
				r.deliver(0)
				neighbour := &Mailbox{set: r.set}
				if !r.set.Breaker.bars(neighbour) {
					t.Error("the neighbour is not held")
				}
				r.set.Breaker.forget(neighbour)
				time.Sleep(11 * time.Second)
				synctest.Wait()
				if r.set.Breaker.bars(neighbour) || len(told) != 2 || !told[0].Opened || told[0].Claim != r.set.Claim ||
					told[1].Opened || told[1].Claim != r.set.Claim || told[1].Open != 10*time.Second {
					t.Errorf("told: %+v", told)
				}
			})
		})
	}
}

// A kept probe that is completed with success, and whose Receive panics then, has succeeded.
func TestBreakerSuccessBeforeAPanic(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Breaker = NewBreaker(func(BreakerChange) {})
		r.verdict = breaks
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				if rec.Attempt == 0 {
					rec.Complete(errors.New("away"))
					return
				}
				rec.Complete(nil)
				r.verdict = restart(0)
				panic("boom")
			}
		}
		r.withActor()
		r.deliver(0)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := r.set.Breaker.State(); s.Open {
			t.Errorf("%+v", s)
		}
		r.wantCommitted(1)
	})
}

// Who was refused comes by itself when the probe is overdue: nobody else asks. And a probe that becomes nobody's earlier is
// replaced earlier.
func TestBreakerWakesForAnOverdueProbe(t *testing.T) {
	for name, c := range map[string]struct {
		act  func(*Breaker, *Mailbox)
		want time.Duration
	}{
		"overdue": {func(*Breaker, *Mailbox) {}, 70 * time.Second},
		"gone": {func(b *Breaker, probe *Mailbox) {
			time.Sleep(20 * time.Second)
			b.yield(probe)
		}, 20 * time.Second},
		"gone in time": {func(b *Breaker, probe *Mailbox) { b.yield(probe) }, 10 * time.Second},
		"tried, and failed": {func(b *Breaker, probe *Mailbox) {
			time.Sleep(20 * time.Second)
			b.admit(probe)
			time.Sleep(100 * time.Second)
			b.trip(probe, messages.Failure{}, messages.Decision{Delay: 10 * time.Second}, b.Openings())
		}, 190 * time.Second},
	} {
		bubbleOf(t, name, func(r *rig) {
			b, probe := NewBreaker(func(BreakerChange) {}), &Mailbox{}
			r.set.Breaker = b
			began := time.Now()
			var came time.Duration
			r.handle = func(context.Context, *messages.Record) error {
				came = time.Since(began)
				return nil
			}
			b.trip(probe, messages.Failure{}, messages.Decision{Delay: 10 * time.Second}, b.Openings())
			r.withHandler()
			r.deliver(0)
			c.act(b, probe)
			time.Sleep(time.Hour)
			synctest.Wait()
			if came != c.want || b.State().Open {
				r.t.Errorf("came after %v, want %v; %+v", came, c.want, b.State())
			}
		})
	}
}

// A call that began before an opening, and fails when that is over, is retried, and opens nothing.
func TestBreakerAndOldFailures(t *testing.T) {
	bubble(t, func(r *rig) {
		b, other := NewBreaker(func(BreakerChange) {}), &Mailbox{}
		r.set.Breaker = b
		r.verdict = breaks
		r.handle = func(_ context.Context, rec *messages.Record) error {
			switch rec.Attempt {
			case 0:
				time.Sleep(30 * time.Second)
				return errors.New("timeout")
			case 1:
				return errors.New("away again")
			}
			return nil
		}
		r.withHandler()
		r.deliver(0)
		b.trip(other, messages.Failure{}, messages.Decision{Delay: time.Second}, b.Openings())
		time.Sleep(5 * time.Second)
		b.admit(other)
		b.succeed(other)
		time.Sleep(34 * time.Second)
		synctest.Wait()
		r.said("0/0")
		if b.State().Open || b.Openings() != 1 {
			t.Errorf("%+v, %d openings", b.State(), b.Openings())
		}
		time.Sleep(time.Second) // its next attempt has begun since
		r.said("0/1")
		if !b.State().Open || b.Openings() != 2 {
			t.Errorf("%+v, %d openings", b.State(), b.Openings())
		}
		time.Sleep(time.Minute)
		r.said("0/2")
	})
}

// Each change is told once, and in order, however many come before the first is told, or while it is.
func TestBreakerTellsInOrder(t *testing.T) {
	for name, slow := range map[string]time.Duration{"at once": 0, "slowly": time.Second} {
		bubbleOf(t, name, func(r *rig) {
			var told []string
			b := NewBreaker(func(c BreakerChange) {
				time.Sleep(slow)
				told = append(told, fmt.Sprint(c.Claim.Sequence, c.Opened, c.Decision.Rule))
			})
			var want []string
			for i := range uint64(5) {
				m := &Mailbox{set: Settings{Claim: messages.Claim{Sequence: i}}}
				b.trip(m, messages.Failure{}, messages.Decision{Rule: "r"}, b.Openings())
				if i%2 == 0 {
					time.Sleep(slow / 2)
				}
				b.admit(m)
				b.succeed(m)
				want = append(want, fmt.Sprint(i, true, "r"), fmt.Sprint(i, false, ""))
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if !slices.Equal(told, want) {
				r.t.Errorf("told %v", told)
			}
		})
	}
}
