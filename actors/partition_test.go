package actors

import (
	"errors"
	"runtime"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	why := errors.New("why")
	if err := guard(func() {}); err != nil {
		t.Errorf("nothing failed, and it answers %v", err)
	}
	if err := guard(func() { panic(why) }); err == nil || !errors.Is(err, why) || len(err.Stack) == 0 {
		t.Errorf("a panic: %v", err)
	}
	if err := guard(func() { panic(nil) }); err == nil { //nolint:govet // that is what is tested
		t.Error("a panic with nil passed")
	}
	if err := guard(func() { runtime.Goexit() }); err == nil || err.Value != messages.Goexit {
		t.Errorf("a Goexit: %v", err)
	}
}

// protoactor cannot survive a panic of an actor in its last moments: the stop is lost, or never told to anybody.
func TestLastMomentsCannotHarm(t *testing.T) {
	moments := map[string]func(any) bool{
		"stopping":   func(m any) bool { _, ok := m.(*actor.Stopping); return ok },
		"stopped":    func(m any) bool { _, ok := m.(*actor.Stopped); return ok },
		"restarting": func(m any) bool { _, ok := m.(*actor.Restarting); return ok },
		"revoked":    func(m any) bool { _, ok := m.(*messages.Revoked); return ok },
		"lost":       func(m any) bool { _, ok := m.(*messages.Lost); return ok },
	}
	for moment, matches := range moments {
		for name, die := range map[string]func(){"panic": func() { panic("no") }, "Goexit": runtime.Goexit} {
			bubbleOf(t, name+" in "+moment, func(r *rig) {
				r.receive = func(ctx actor.Context) {
					if matches(ctx.Message()) {
						die()
					}
					if rec, ok := ctx.Message().(*messages.Record); ok {
						rec.Complete(nil)
					}
				}
				r.withActor()
				r.deliver(0)
				r.said("1 started", "1 assigned at 0", "1: 0/0")
				inc := "1"
				if moment == "restarting" {
					r.system(&actor.Restart{})
					r.said("1 restarting", "2 started", "2 assigned at 1")
					inc = "2"
				}
				end := "revoked"
				if moment == "lost" {
					end = "lost"
					r.box.Lose(&messages.Lost{})
				} else {
					r.box.Revoke(&messages.Revoked{})
				}
				r.said(inc+" "+end, inc+" stopping", inc+" stopped", "terminated")
				r.wantFarewells(1)
				r.wantFaults()
				r.wantCommitted(1)
			})
		}
	}
}

// A producer that fails is a failure of the actor's Started. It goes through the policy.
func TestAProducerThatFails(t *testing.T) {
	for name, produce := range map[string]func() actor.Actor{
		"panics":      func() actor.Actor { panic("no") },
		"exits":       func() actor.Actor { runtime.Goexit(); return nil },
		"answers nil": func() actor.Actor { return nil },
	} {
		setUp := func(r *rig, failing int) {
			r.produce = func(n int) actor.Actor {
				if n == failing {
					r.say("%d not made", n)
					return produce()
				}
				return &probe{r, n}
			}
		}
		bubbleOf(t, name+" at the spawn", func(r *rig) {
			setUp(r, 1)
			r.verdict = restart(0)
			r.withActor()
			r.deliver(0)
			r.said("1 not made", "2 started", "2 assigned at 0", "2: 0/0")
			r.wantFaults("Panic")
		})
		bubbleOf(t, name+" at a restart", func(r *rig) {
			setUp(r, 2)
			r.verdict = restart(0)
			r.withActor()
			r.deliver(0)
			r.system(&actor.Restart{})
			r.deliver(1)
			r.said("1 started", "1 assigned at 0", "1: 0/0", "1 restarting", "2 not made", "3 started", "3 assigned at 1", "3: 1/0")
			r.wantFaults("Panic")
		})
		// There is nobody who could go on: the records wait, visibly, until somebody asks for an actor again.
		for how, verdict := range map[string]func(*asked){"skip": skip, "park": park, "plain resume": (*asked).resume} {
			bubbleOf(t, name+", "+how, func(r *rig) {
				setUp(r, 1)
				r.verdict = verdict
				r.withActor()
				r.deliver(0)
				r.said("1 not made")
				r.wantFaults("Panic")
				if s := r.box.Snapshot(); s.State != messages.StateParked || s.Attempt != 0 {
					r.t.Errorf("%+v", s)
				}
				if err := r.box.RetryHead(0); err != nil {
					r.t.Error(err)
				}
				if !r.box.Occupy() {
					r.t.Error("the supervisor is not told to restart")
				}
				r.system(&actor.Restart{})
				r.said("2 started", "2 assigned at 0", "2: 0/0")
			})
		}
	}
}

// A producer may take its time, to connect to something for example. Whoever spawns the actor has other partitions.
func TestASlowProducerKeepsOnlyItsOwnPartition(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"and goes on": func(r *rig) {
			r.said("1 started", "1 assigned at 0", "1: 0/0")
			r.wantCommitted(1)
		},
		"after the claim's end": func(r *rig) { r.said("1 started", "1 stopping", "1 stopped", "terminated") },
	} {
		bubbleOf(t, name, func(r *rig) {
			release := make(chan struct{})
			r.produce = func(n int) actor.Actor {
				<-release
				return &probe{r, n}
			}
			r.withActor()
			if r.child == nil {
				r.t.Error("the supervisor waits for the producer")
			}
			r.deliver(0)
			r.said()
			if name != "and goes on" {
				r.box.Revoke(&messages.Revoked{})
			}
			close(release)
			end(r)
		})
	}
}

// protoactor asks the actor itself about its children if it implements SupervisorStrategy.
func TestAUsersActorDecidesAboutItsChildren(t *testing.T) {
	for _, decides := range []bool{true, false} {
		name := map[bool]string{true: "a strategy", false: "none"}[decides]
		bubbleOf(t, name, func(r *rig) {
			spawned := 0
			r.receive = func(ctx actor.Context) {
				if ctx.Message() == "child" {
					ctx.Spawn(actor.PropsFromFunc(func(c actor.Context) {
						if _, ok := c.Message().(*actor.Started); ok {
							if spawned++; spawned == 1 {
								panic("child")
							}
						}
					}))
				}
			}
			if decides {
				r.produce = func(n int) actor.Actor { return &strategist{probe{r, n}} }
			}
			r.withActor()
			r.send("child")
			if decides {
				r.said("1 started", "1 assigned at 0", "1 child", "1 decides", "1 terminated")
			} else {
				r.said("1 started", "1 assigned at 0", "1 child") // protoactor's default: restart
			}
			r.wantFaults()
		})
	}
}

type strategist struct{ probe }

func (s *strategist) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _, _ any) {
	s.r.say("%d decides", s.n)
	sup.StopChildren(child)
}
