package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"

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
