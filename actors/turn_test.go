package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// failures are the ways in which the delivery of a record fails.
var failures = map[string]struct {
	do    func(*messages.Record)
	class messages.Class
}{
	"error":      {func(r *messages.Record) { r.Complete(errors.New("no")) }, messages.ClassHandler},
	"panic":      {func(*messages.Record) { panic("no") }, messages.ClassPanic},
	"Goexit":     {func(*messages.Record) { runtime.Goexit() }, messages.ClassPanic},
	"unanswered": {func(*messages.Record) {}, messages.ClassUnanswered},
	"kept, then error": {func(r *messages.Record) {
		r.Keep()
		go r.Complete(errors.New("no"))
	}, messages.ClassHandler},
	"kept, then panic": {func(r *messages.Record) { r.Keep(); panic("no") }, messages.ClassPanic},
	// A panic is no outcome, whatever its value wraps.
	"panic with a seek":  {func(*messages.Record) { panic(messages.SeekTo(5)) }, messages.ClassPanic},
	"answered and panic": {func(r *messages.Record) { r.Complete(errors.New("no")); panic("no") }, messages.ClassPanic},
}

// The heart of it: whatever happens to the head, it is the head again, with the next attempt.
func TestAFailureKeepsTheHead(t *testing.T) {
	for name, fail := range failures {
		for how, verdict := range map[string]func(*asked){
			"retried": retry(0), "restarted": restart(0), "restarted without a verdict": (*asked).restart,
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				bubble(t, func(r *rig) {
					r.set.Seek = func(int64, uint64) {}
					r.verdict = verdict
					r.receive = func(ctx actor.Context) {
						rec, ok := ctx.Message().(*messages.Record)
						switch {
						case !ok:
						case rec.Offset == 0 && rec.Attempt < 2:
							fail.do(rec)
						default:
							rec.Complete(nil)
						}
					}
					r.withActor()
					r.deliver(0, 1)
					if how == "retried" {
						r.said("1 started", "1 assigned at 0", "1: 0/0", "1: 0/1", "1: 0/2", "1: 1/0")
					} else {
						r.said("1 started", "1 assigned at 0", "1: 0/0", "1 restarting", "2 started", "2 assigned at 0", "2: 0/1",
							"2 restarting", "3 started", "3 assigned at 0", "3: 0/2", "3: 1/0")
					}
					r.wantFaults(fmt.Sprintf("%v 0/0", fail.class), fmt.Sprintf("%v 0/1", fail.class))
					r.wantCommitted(2)
				})
			})
		}
	}
}

// protoactor's Resume says nothing about the message. With a plain strategy it means: give it up.
func TestResumeWithoutAVerdictGivesTheHeadUp(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = (*asked).resume
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Offset == 0 {
				return errors.New("no")
			}
			return nil
		}
		r.withHandler()
		r.deliver(0, 1)
		r.said("0/0", "1/0")
		r.wantCommitted(2)
		if len(r.reports) != 1 || r.reports[0].GivenUp == nil || r.reports[0].GivenUp.Offset != 0 {
			t.Errorf("reports: %+v", r.reports)
		}
		if c := r.box.Snapshot().Counters; c.Skipped != 1 || c.Handled != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// The record is answered; what happens afterwards is the actor's fault and not the record's.
func TestPanicAfterCompletionKeepsTheCompletion(t *testing.T) {
	for name, die := range map[string]func(){"panic": func() { panic("no") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.verdict = restart(0)
				r.receive = func(ctx actor.Context) {
					if rec, ok := ctx.Message().(*messages.Record); ok {
						rec.Complete(nil)
						if rec.Offset == 0 {
							die()
						}
					}
				}
				r.withActor()
				r.deliver(0, 1)
				r.said("1 started", "1 assigned at 0", "1: 0/0", "1 restarting", "2 started", "2 assigned at 1", "2: 1/0")
				r.wantFaults("Panic")
				r.wantCommitted(2)
			})
		})
	}
}

// A fault that is not the head's costs it nothing, whatever is decided.
func TestAFaultOutsideOfTheHeadCostsNoRecord(t *testing.T) {
	verdicts := map[string]func(*asked){"retry": retry(0), "restart": restart(0), "skip": skip, "plain resume": (*asked).resume, "plain restart": (*asked).restart}
	for _, die := range []struct {
		name string
		do   func()
	}{{"panic", func() { panic("no") }}, {"Goexit", runtime.Goexit}} {
		for where, matches := range map[string]func(any) bool{
			"control":    func(m any) bool { return m == "control" },
			"assigned":   func(m any) bool { _, ok := m.(*messages.Assigned); return ok },
			"started":    func(m any) bool { _, ok := m.(*actor.Started); return ok },
			"terminated": func(m any) bool { _, ok := m.(*actor.Terminated); return ok },
		} {
			for how, verdict := range verdicts {
				t.Run(die.name+" in "+where+", "+how, func(t *testing.T) {
					bubble(t, func(r *rig) {
						died := false
						r.verdict = verdict
						r.receive = func(ctx actor.Context) {
							if ctx.Message() == "child" {
								ctx.Stop(ctx.Spawn(actor.PropsFromFunc(func(actor.Context) {})))
							}
							if rec, ok := ctx.Message().(*messages.Record); ok {
								rec.Complete(nil)
							}
							if matches(ctx.Message()) && !died {
								died = true
								die.do()
							}
						}
						r.withActor()
						if where == "terminated" {
							r.send("child")
						}
						r.send("control")
						if !died {
							t.Fatal("nothing happened")
						}
						if len(r.faults) != 1 || r.faults[0].fault == nil || r.faults[0].fault.Record != nil || r.faults[0].fault.Class != messages.ClassPanic {
							t.Errorf("faults: %v", r.faults)
						}
						r.log = nil
						r.deliver(0, 1)
						if len(r.log) != 2 || r.log[0][1:] != ": 0/0" || r.log[1][1:] != ": 1/0" {
							t.Errorf("happened: %v", r.log)
						}
						r.wantCommitted(2)
					})
				})
			}
		}
	}
}

// Started of a fresh incarnation panics. protoactor has posted the Resume that ends the restart before it; that
// Resume is no answer to the new fault.
func TestStartedPanicsAfterARestart(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = func(a *asked) {
			if a.fault == nil {
				t.Error("the supervisor was asked, and there was no fault")
			}
			restart(0)(a)
		}
		started := 0
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *actor.Started:
				if started++; started == 2 {
					panic("no")
				}
			case *messages.Record:
				if started == 1 {
					panic("no")
				}
				msg.Complete(nil)
			}
		}
		r.withActor()
		r.deliver(0)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 restarting", "2 started", "2 restarting", "3 started", "3 assigned at 0", "3: 0/1")
		r.wantFaults("Panic 0/0", "Panic")
		r.wantCommitted(1)
	})
}

// Stop and Restart wait behind a busy handler. protoactor would make a new incarnation of the stopped actor,
// unregistered, and give it the rest of the backlog.
func TestStopThenRestartDoesNotResurrect(t *testing.T) {
	bubble(t, func(r *rig) {
		release := make(chan struct{})
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				<-release
				rec.Complete(nil)
			}
		}
		r.withActor()
		r.deliver(0, 1, 2)
		r.system(&actor.Stop{})
		r.system(&actor.Restart{})
		r.system(&actor.ResumeMailbox{})
		close(release)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 stopping", "1 stopped", "terminated")
		r.deliver(3)
		r.said()
		r.wantCommitted(1)
	})
}

// The panic of a child's Terminated is a fault while records are being handled. In an actor that is ending it must
// reach nobody: protoactor looks only afterwards whether that was the last child it waits for.
func TestTerminatedPanicsWhileStopping(t *testing.T) {
	for how, end := range map[string]any{"stop": &actor.Stop{}, "restart": &actor.Restart{}} {
		for name, die := range map[string]func(){"panic": func() { panic("no") }, "Goexit": runtime.Goexit} {
			t.Run(how+", "+name, func(t *testing.T) {
				bubble(t, func(r *rig) {
					r.receive = func(ctx actor.Context) {
						switch msg := ctx.Message().(type) {
						case *actor.Terminated:
							die()
						case *messages.Record:
							msg.Complete(nil)
						case string:
							ctx.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
						}
					}
					r.withActor()
					r.send("child")
					r.said("1 started", "1 assigned at 0", "1 child")
					r.system(end)
					if how == "stop" {
						r.said("1 stopping", "1 terminated", "1 stopped", "terminated")
					} else {
						r.said("1 restarting", "1 terminated", "2 started", "2 assigned at 0")
					}
					r.wantFaults()
					r.wantFarewells(1)
				})
			})
		}
	}
}

func (r *rig) wantFarewells(n int) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	got := 0
	for _, report := range r.reports {
		if report.Farewell != nil {
			got++
		}
	}
	if got != n {
		r.t.Errorf("%d farewells reported, want %d: %+v", got, n, r.reports)
	}
}

// The actor has failed and waits for a verdict when a child of its own ends, and that fails, too. Each fault is
// asked about, one at a time: a verdict must never meet another fault than it was made for.
func TestOneFaultAtATime(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = wait
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *actor.Terminated:
				panic("terminated")
			case *messages.Record:
				msg.Complete(errors.New("no"))
			case string:
				pid := ctx.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
				time.AfterFunc(time.Minute, func() { r.sys.Root.Stop(pid) })
			}
		}
		r.withActor()
		r.send("child")
		r.deliver(0)
		first := r.last()
		time.Sleep(2 * time.Minute)
		r.wantFaults("Handler 0/0")
		retry(time.Hour)(first)
		if second := r.last(); second.fault == nil || second.fault.Record != nil {
			t.Fatalf("then asked about %v", second)
		}
		r.said("1 started", "1 assigned at 0", "1 child", "1: 0/0", "1 terminated")
		restart(0)(r.last())
		r.said("1 restarting", "2 started", "2 assigned at 0")
		r.wantFirst(0)
	})
}

// A control message has panicked, and while the supervisor makes up its mind, the record that is kept open fails:
// "skip" for the first one must not be the second one's end.
func TestAKeptRecordFailsWhileAnotherFaultWaits(t *testing.T) {
	for how, resume := range map[string]func(*asked){"resume": (*asked).resume, "skip": skip, "restart": restart(0)} {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.verdict = wait
				var kept *messages.Record
				r.receive = func(ctx actor.Context) {
					switch msg := ctx.Message().(type) {
					case *messages.Record:
						kept = msg
						msg.Keep()
					case string:
						panic("no")
					}
				}
				r.withActor()
				r.deliver(0)
				r.send("control")
				first := r.last()
				if !kept.Complete(errors.New("no")) {
					t.Error("the completion did not count")
				}
				r.wantFaults("Panic")
				r.verdict = retry(time.Hour)
				resume(first)
				if how == "restart" { // the incarnation that failed is gone; its record comes again
					r.wantFaults()
					r.said("1 started", "1 assigned at 0", "1: 0/0", "1 control", "1 restarting", "2 started", "2 assigned at 0", "2: 0/1")
				} else {
					r.wantFaults("Handler 0/0")
				}
				r.wantFirst(0)
			})
		})
	}
}

// Protoactor counts a Suspend and a Resume for each failure that reaches the supervisor, also for one of a child of
// the user's that was escalated through the partition actor.
func TestAChildsFailureEscalatedThroughThePartition(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = (*asked).resume
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *messages.Record:
				msg.Complete(nil)
			case string:
				ctx.Spawn(actor.PropsFromFunc(func(c actor.Context) {
					if _, ok := c.Message().(*actor.Started); ok {
						panic("child")
					}
				}, actor.WithSupervisor(nil)))
			}
		}
		r.produce = func(n int) actor.Actor { return &escalator{probe{r, n}} }
		r.withActor()
		r.send("child")
		r.deliver(0)
		r.wantFaults("none")
		r.said("1 started", "1 assigned at 0", "1 child", "1: 0/0")
		r.wantCommitted(1)
	})
}

// escalator is an actor of the user's that decides about its children.
type escalator struct{ probe }

func (*escalator) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, _ *actor.PID, _ *actor.RestartStatistics, reason, message any) {
	sup.EscalateFailure(reason, message)
}

// A wave of panics and Goexits must not leave goroutines behind: the bubble would not end.
func TestGoexitLeavesNoGoroutine(t *testing.T) {
	bubble(t, func(r *rig) {
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Attempt < 20 {
				runtime.Goexit()
			}
			return nil
		}
		r.withHandler()
		r.deliver(0, 1, 2)
		r.wantCommitted(3)
	})
}
