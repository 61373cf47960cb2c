package actors

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

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

// Two restarts wait behind a busy handler, and the second one's incarnation cannot be made. The Resume of the first one
// is no answer to that.
func TestTheResumeOfAnOlderRestartIsNoAnswer(t *testing.T) {
	bubble(t, func(r *rig) {
		r.produce = func(n int) actor.Actor {
			if n == 3 {
				panic("no")
			}
			return &probe{r, n}
		}
		r.verdict = func(a *asked) {
			if a.fault == nil {
				t.Error("the supervisor was asked, and there was no fault")
			}
			restart(0)(a)
		}
		release := make(chan struct{})
		r.receive = receiving(func(rec *messages.Record) { <-release; rec.Complete(nil) })
		r.withActor()
		r.deliver(0, 1)
		r.system(&actor.Restart{})
		r.system(&actor.Restart{})
		close(release)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 restarting", "2 started", "2 restarting", "4 started", "4 assigned at 1", "4: 1/0")
		r.wantFaults("Panic")
		r.wantCommitted(2)
	})
}

// Two restarts, a verdict's Resume in between, while a child takes its time to end: protoactor makes one fresh
// incarnation of them, and resumes once. Nothing is delivered before.
func TestRestartsThatWaitForAChild(t *testing.T) {
	bubble(t, func(r *rig) {
		release := make(chan struct{})
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *messages.Record:
				msg.Complete(nil)
			case string:
				if msg == "child" {
					ctx.Spawn(actor.PropsFromFunc(func(c actor.Context) {
						if _, ok := c.Message().(*actor.Stopping); ok {
							<-release
						}
					}))
				}
			}
		}
		r.withActor()
		r.send("child")
		r.system(&actor.Restart{})
		r.system(&actor.ResumeMailbox{})
		r.system(&actor.Restart{})
		r.send("hello")
		r.deliver(0)
		r.said("1 started", "1 assigned at 0", "1 child", "1 restarting", "1 restarting")
		close(release)
		r.said("1 terminated", "2 started", "3 assigned at 0", "2 hello", "2: 0/0")
		r.wantCommitted(1)
	})
}

// Two restarts wait behind a busy handler, and the incarnation that the first one made has a child that takes its time
// to end. The first one's Resume does not let messages through to an actor that is on its way out.
func TestTheResumeOfAnOlderRestartDoesNotEndTheNewer(t *testing.T) {
	bubble(t, func(r *rig) {
		busy, release, started := make(chan struct{}), make(chan struct{}), 0
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *actor.Started:
				if started++; started == 2 {
					ctx.Spawn(actor.PropsFromFunc(func(c actor.Context) {
						if _, ok := c.Message().(*actor.Stopping); ok {
							<-release
						}
					}))
				}
			case *messages.Record:
				<-busy
				msg.Complete(nil)
			}
		}
		r.withActor()
		r.deliver(0)
		r.system(&actor.Restart{})
		r.system(&actor.Restart{})
		r.send("hello")
		close(busy)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 restarting", "2 started", "2 restarting")
		close(release)
		r.said("2 terminated", "3 started", "3 assigned at 1", "3 hello")
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

// The actor has failed and waits for a verdict when a child of its own ends, and that fails, too. Each fault is
// asked about, one at a time: a verdict must never meet another fault than it was made for.
func TestOneFaultAtATime(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = wait
		ended := 0
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *actor.Terminated:
				ended++
				panic(ended)
			case *messages.Record:
				msg.Complete(errors.New("no"))
			case string:
				for range 2 {
					pid := ctx.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
					time.AfterFunc(time.Minute, func() { r.sys.Root.Stop(pid) })
				}
			}
		}
		r.withActor()
		r.send("child")
		r.deliver(0)
		first := r.last()
		time.Sleep(2 * time.Minute)
		r.wantFaults("Handler 0/0")
		r.wantFarewells(1) // a third one: there is nobody to ask, but it does not go unsaid
		retry(time.Hour)(first)
		if second := r.last(); second.fault == nil || second.fault.Record != nil || second.fault.Err.Error() != "panic: 1" {
			t.Fatalf("then asked about %v", second)
		}
		r.said("1 started", "1 assigned at 0", "1 child", "1: 0/0", "1 terminated", "1 terminated")
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

// The claim is being given up, and the actor waits for a verdict on a control message, when the kept record fails,
// too. A second question would wait for the first one's answer, which nobody needs any more: the record is left to
// the next owner, with its attempt.
func TestAKeptRecordFailsWhileAnotherFaultWaitsAndTheClaimEnds(t *testing.T) {
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
		r.box.Revoke(&messages.Revoked{})
		synctest.Wait()
		kept.Complete(errors.New("no"))
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 control", "1 revoked", "1 stopping", "1 stopped", "terminated")
		r.wantFaults("Panic")
		r.wantFarewells(1)
		if p := r.committed(); !p.Equal(Progress{Next: 0, Attempt: 1}) {
			t.Errorf("the next owner learns %+v", p)
		}
	})
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
						var err *os.PathError
						panic(err)
					}
				}, actor.WithSupervisor(nil)))
			}
		}
		r.produce = func(n int) actor.Actor { return &escalator{probe{r, n}} }
		r.withActor()
		r.send("child")
		r.deliver(0)
		if err, ok := r.last().reason.(error); !ok || !strings.Contains(err.Error(), "nil *fs.PathError") {
			t.Errorf("the supervisor is told %T", r.last().reason)
		}
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

// large is a batch of one record whose key and value alias the fetch.
type large struct {
	samples

	value *[100_000]byte
}

func (l large) Size(int) int { return len(l.value) + messages.RecordOverhead }
func (l large) Read(i int, r *messages.Record) {
	l.samples.Read(i, r)
	r.Key, r.Value = l.value[:10], l.value[:]
}

// short is a batch of one small record whose value aliases a whole fetch.
type short struct{ large }

func (s short) Size(int) int { return 10 + messages.RecordOverhead }
func (s short) Read(i int, r *messages.Record) {
	s.large.Read(i, r)
	r.Value = r.Value[:10]
}

// Records that come one by one, each in a fetch of its own: a slab of them would keep the last 64 fetches.
func TestFinishedRecordsKeepNoFetch(t *testing.T) {
	bubble(t, func(r *rig) {
		r.withHandler()
		var fetches []weak.Pointer[[100_000]byte]
		for offset := range int64(60) {
			s := short{large{from(offset), new([100_000]byte)}}
			fetches = append(fetches, weak.Make(s.value))
			r.box.Deliver(r.seek, s, Extent{})
			synctest.Wait()
		}
		runtime.GC()
		alive := 0
		for _, f := range fetches {
			if f.Value() != nil {
				alive++
			}
		}
		if alive > 2 {
			t.Errorf("%d of 60 finished fetches are alive", alive)
		}
		r.wantFirst(60)
	})
}

// Records are allocated in slabs; one of a slab that is alive (the next one, say) keeps all of them. The backlog's
// bound counts nothing of what is finished, so their values must be small.
func TestFinishedRecordsKeepNoLargeValues(t *testing.T) {
	bubble(t, func(r *rig) {
		r.withHandler()
		var values []weak.Pointer[[100_000]byte]
		for offset := range int64(50) {
			l := large{from(offset), new([100_000]byte)}
			values = append(values, weak.Make(l.value))
			r.box.Deliver(r.seek, l, Extent{})
			synctest.Wait()
		}
		runtime.GC()
		alive := 0
		for _, v := range values {
			if v.Value() != nil {
				alive++
			}
		}
		if alive > 2 {
			t.Errorf("%d of 50 finished values are alive", alive)
		}
		r.wantFirst(50)
	})
}

// A head may be parked for days, and a failure stands in the status until the next one: neither keeps the fetch.
func TestWhatWaitsKeepsNoFetch(t *testing.T) {
	var fetched weak.Pointer[[100_000]byte]
	deliver := func(r *rig) {
		l := large{from(0), new([100_000]byte)}
		fetched = weak.Make(l.value)
		r.box.Deliver(r.seek, l, Extent{})
		synctest.Wait()
	}
	failing := func(fail func() error) func(*rig) {
		return func(r *rig) {
			r.verdict = park
			r.handle = func(_ context.Context, rec *messages.Record) error {
				if rec.Attempt == 0 {
					return fail()
				}
				return nil
			}
			r.withHandler()
			deliver(r)
		}
	}
	for name, c := range map[string]struct {
		park  func(*rig)
		again string
	}{
		"an error": {failing(func() error { return errors.New("no") }), "0/1"},
		"a panic":  {failing(func() error { panic("no") }), "0/1"},
		"a Goexit": {failing(func() error { runtime.Goexit(); return nil }), "0/1"},
		"a park of the previous owner's": {func(r *rig) {
			r.withHandler()
			r.seek = r.box.Open(0, 7, Progress{Attempt: 3, Parked: true, Reason: "poison"})
			deliver(r)
		}, "0/3"},
		"a park without a verdict": {func(r *rig) {
			r.withHandler()
			r.box.Park("maintenance", messages.ClassHandler)
			deliver(r)
		}, "0/0"},
	} {
		// One after the other: they share the pointer.
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				c.park(r)
				r.locked(func() { r.faults, r.log = nil, nil })
				gone := func(what string) {
					t.Helper()
					runtime.GC()
					runtime.GC()
					if fetched.Value() != nil {
						t.Errorf("%s: the fetch is alive", what)
					}
				}
				gone("parked")
				if s := r.box.Snapshot(); s.State != messages.StateParked || s.Depth != 1 {
					t.Errorf("%+v", s)
				}
				if err := r.box.RetryHead(0); err != nil {
					t.Error(err)
				}
				r.said(c.again)
				r.wantCommitted(1)
				r.end()
			})
		})
	}
}

// A handler panics because it was told to give up: that is no failure, and still a bug that somebody wants to know of.
func TestAPanicUnderAnEndedContextIsReported(t *testing.T) {
	bubble(t, func(r *rig) {
		r.handle = func(ctx context.Context, _ *messages.Record) error { <-ctx.Done(); panic("bug") }
		r.withHandler()
		r.deliver(0)
		r.box.Revoke(&messages.Revoked{})
		r.box.Cancel(messages.ErrRevoked)
		r.said("0/0", "terminated")
		r.wantFaults()
		r.wantFarewells(1)
	})
}
