package actors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

func TestRecordsComeInOrderAfterAssigned(t *testing.T) {
	bubble(t, func(r *rig) {
		r.withActor()
		r.said("1 started", "1 assigned at 0")
		r.deliver(0, 2, 5)
		r.said("1: 0/0", "1: 2/0", "1: 5/0")
		r.wantCommitted(6)
	})
}

// A supervisor opens a claim when its start is known; what a broker sends for it is there at once.
func TestAssignedComesBeforeRecordsThatWaitAlready(t *testing.T) {
	bubble(t, func(r *rig) {
		r.withActor()
		r.said("1 started", "1 assigned at 0")
		r.deliver(0)
		r.receive = func(ctx actor.Context) {
			if ctx.Message() == "stop" {
				ctx.Stop(ctx.Self())
			}
			if rec, ok := ctx.Message().(*messages.Record); ok {
				rec.Complete(nil)
			}
		}
		r.send("stop")
		r.deliver(1)
		r.respawn()
		r.said("1: 0/0", "1 stop", "1 stopping", "1 stopped", "terminated", "2 started", "2 assigned at 1", "2: 1/0")
	})
}

// The start of the claim may not be known for an hour. Messages need not wait for that; records do.
func TestMessagesDoNotWaitForAssigned(t *testing.T) {
	bubble(t, func(r *rig) {
		r.ofActor()
		r.spawn()
		r.send("hello")
		r.said("1 started", "1 hello")
		r.open()
		r.deliver(0)
		r.send("hello again")
		r.said("1 assigned at 0", "1: 0/0", "1 hello again")
	})
}

func TestWhoGoesFirst(t *testing.T) {
	bubble(t, func(r *rig) {
		release := make(chan struct{})
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				if rec.Offset == 0 {
					<-release
				}
				rec.Complete(nil)
			}
		}
		r.withActor()
		r.deliver(0, 1)
		r.said("1 started", "1 assigned at 0", "1: 0/0")
		// All of these wait behind the record in flight, posted in the wrong order.
		r.send("control")
		r.system(&actor.Restart{})
		close(release)
		r.said("1 restarting", "2 started", "2 assigned at 1", "2 control", "2: 1/0")
	})
}

func TestRevokedOvertakesMessagesAndRecords(t *testing.T) {
	bubble(t, func(r *rig) {
		release := make(chan struct{})
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				<-release
				rec.Complete(nil)
			}
		}
		r.withActor()
		r.deliver(0, 1)
		r.send("control")
		r.box.Revoke(&messages.Revoked{})
		close(release)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 revoked", "1 stopping", "1 stopped", "terminated")
		r.wantCommitted(1)
	})
}

// A poison pill never waits: not behind the backlog, not for a backoff, not for an operator, not for a verdict.
func TestPoisonPillTakesEffectAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		verdict func(*asked)
		kept    bool
	}{
		"holding for an hour": {verdict: retry(time.Hour)},
		"parked":              {verdict: park},
		"suspended":           {verdict: wait},
		"kept open":           {kept: true},
	} {
		for how, pill := range map[string]any{"bare": &actor.PoisonPill{}, "enveloped": actor.WrapEnvelope(&actor.PoisonPill{})} {
			t.Run(name+", "+how, func(t *testing.T) {
				bubble(t, func(r *rig) {
					r.verdict = c.verdict
					r.handle = func(_ context.Context, rec *messages.Record) error {
						if c.kept {
							rec.Keep()
							return nil
						}
						return errors.New("no")
					}
					r.withHandler()
					r.deliver(0, 1, 2)
					r.said("0/0")
					began := time.Now()
					r.send(pill)
					r.said("terminated")
					if waited := time.Since(began); waited > 0 {
						t.Errorf("it took %v", waited)
					}
					r.wantFirst(0)
				})
			})
		}
	}
}

// wantFirst checks where the partition stands.
func (r *rig) wantFirst(next int64) {
	r.t.Helper()
	synctest.Wait()
	if got := r.box.Progress().Next; got != next {
		r.t.Errorf("the partition stands at %d, want %d", got, next)
	}
}

type several []any

func (s several) GetMessages() []any { return s }

// protoactor's own mailbox posts the parts of a batch, and then the batch again (actor/mailbox.go).
func TestMessageBatchArrivesOnce(t *testing.T) {
	for name, batch := range map[string]any{
		"bare":      several{"a", "b"},
		"enveloped": actor.WrapEnvelope(several{"a", "b"}),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.withActor()
				r.said("1 started", "1 assigned at 0")
				r.send(batch)
				r.said("1 a", "1 b")
			})
		})
	}
}

func TestMessagesFlowWhileRecordsWait(t *testing.T) {
	for name, verdict := range map[string]func(*asked){"holding": retry(time.Hour), "parked": park, "kept": nil} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.verdict = verdict
				r.receive = func(ctx actor.Context) {
					if rec, ok := ctx.Message().(*messages.Record); ok {
						if verdict == nil {
							rec.Keep()
						} else {
							rec.Complete(errors.New("no"))
						}
					}
				}
				r.withActor()
				r.deliver(0, 1)
				r.send("are you there")
				r.said("1 started", "1 assigned at 0", "1: 0/0", "1 are you there")
			})
		})
	}
}

// invoker stands for protoactor's actor context.
type invoker struct{ r *rig }

func (i invoker) InvokeSystemMessage(m any) { i.r.say("%T", m) }
func (i invoker) EscalateFailure(_, m any)  { i.r.say("escalated %T", m) }
func (i invoker) InvokeUserMessage(m any) {
	i.r.say("%T", m)
	if rec, ok := m.(*messages.Record); ok {
		rec.Complete(nil)
	}
}

// protoactor registers its handlers and then posts Started. Between the two a source may deliver to a mailbox that
// is spawned again, or the goroutine that stopped the old actor may still be there.
func TestStartedComesFirstAtARespawn(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Wake, r.set.Tell = func() {}, func(Report) {}
		box := NewMailbox(r.set)
		box.RegisterHandlers(invoker{r}, actor.NewDefaultDispatcher(1))
		box.PostSystemMessage(&actor.Started{})
		seek := box.Open(0, 0, Progress{})
		synctest.Wait()
		box.PostSystemMessage(&actor.Stop{})
		r.said("*actor.Started", "*messages.Assigned", "*actor.Stop")

		box.RegisterHandlers(invoker{r}, actor.NewDefaultDispatcher(1))
		box.Deliver(seek, from(0), Extent{})
		box.PostUserMessage("control")
		synctest.Wait()
		box.PostSystemMessage(&actor.Watch{})
		synctest.Wait()
		box.PostSystemMessage(&actor.Started{})
		r.said("*actor.Watch", "*actor.Started", "*messages.Assigned", "string", "*messages.Record")
		box.Close()
	})
}

// A partition actor that stopped itself is spawned again, and takes up where the other one stopped.
func TestRespawnOnTheSameMailbox(t *testing.T) {
	bubble(t, func(r *rig) {
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				if rec.Offset == 1 && rec.Attempt == 0 {
					rec.Keep()
					ctx.Stop(ctx.Self())
					return
				}
				rec.Complete(nil)
			}
		}
		r.withActor()
		r.deliver(0, 1, 2)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1: 1/0", "1 stopping", "1 stopped", "terminated")
		r.respawn()
		r.said("2 started", "2 assigned at 1", "2: 1/1", "2: 2/0")
		if s := r.box.Snapshot(); s.Incarnation != 2 || s.Counters.Handled != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// A kept record fails when its actor has stopped itself: there is nobody to ask about. It comes again.
func TestAKeptRecordFailsAfterItsActorStopped(t *testing.T) {
	bubble(t, func(r *rig) {
		var k keeper
		r.handle = k.handle
		r.withHandler()
		r.deliver(0)
		r.system(&actor.Stop{})
		if !k.kept[0].Complete(errors.New("no")) {
			t.Error("the completion did not count")
		}
		r.said("0/0", "terminated")
		r.wantFaults()
		r.respawn()
		r.said("0/1")
	})
}

// The completion and the respawn come in the same instant; Complete has answered true, so it must count.
func TestRespawnDoesNotUndoACompletion(t *testing.T) {
	bubble(t, func(r *rig) {
		var kept *messages.Record
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				kept = rec
				rec.Keep()
				ctx.Stop(ctx.Self())
			}
		}
		r.withActor()
		r.deliver(0)
		r.box.mu.Lock() // both wait for the lock; the mailbox's own goroutine comes last
		r.box.attempt.answered = true
		r.box.reincarnate()
		r.box.mu.Unlock()
		if kept.Complete(nil) {
			t.Error("completed twice")
		}
		r.wantFirst(1)
	})
}

func TestUserMessageCount(t *testing.T) {
	bubble(t, func(r *rig) {
		r.handle = func(_ context.Context, rec *messages.Record) error { rec.Keep(); return nil }
		r.withHandler()
		r.deliver(0, 1, 2)
		if n := r.box.UserMessageCount(); n != 3 {
			t.Errorf("%d, want 3", n)
		}
	})
}

// A record that somebody sends as an ordinary message is none that this mailbox delivered: it must not answer for
// the one that is open.
func TestARecordSentAsAMessageIsNotTheHead(t *testing.T) {
	bubble(t, func(r *rig) {
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Topic != "orders" {
				return errors.New("a stranger")
			}
			rec.Keep()
			return nil
		}
		r.withHandler()
		r.deliver(0)
		r.send(&messages.Record{Topic: "elsewhere", Offset: 99})
		r.wantFaults()
		if s := r.box.Snapshot(); s.State != messages.StateBusy || s.Head != 0 {
			t.Errorf("%v at %d", s.State, s.Head)
		}
	})
}

// Several goroutines do everything at once; the race detector watches, and nothing may be lost or come twice.
func TestMailboxUnderEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { t.Parallel(); storm(t, seed) })
	}
}

func storm(t *testing.T, seed uint64) {
	const records = 3000
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, set: Settings{Claim: messages.Claim{Sequence: seed}, Context: context.Background(), Records: 500, Bytes: 1 << 20, Budget: NewBudget(1 << 20), Each: seed%3 == 0}}
		var (
			finished atomic.Int64
			busy     atomic.Int32
			next     atomic.Int64
		)
		r.verdict = func(a *asked) {
			if a.fault == nil {
				a.resume()
				return
			}
			switch a.fault.Class {
			case messages.ClassPanic:
				restart(time.Millisecond)(a)
			default:
				retry(time.Millisecond)(a)
			}
		}
		rnd := throw(seed)
		r.set.Handler = func(_ context.Context, rec *messages.Record) error {
			if busy.Add(1) != 1 {
				t.Error("two handlers on one partition")
			}
			defer busy.Add(-1)
			if want := next.Load(); rec.Offset != want {
				t.Errorf("offset %d, want %d", rec.Offset, want)
			}
			done := func() { next.Add(1); finished.Add(1) }
			switch rnd.IntN(20) {
			case 0:
				return errors.New("no")
			case 1:
				panic("no")
			case 2:
				rec.Keep()
				go func() {
					if r.box.Stale(rec) == nil {
						done() // nobody else sees it before Complete
						if !rec.Complete(nil) {
							next.Add(-1) // a restart came between
							finished.Add(-1)
						}
					}
				}()
				return nil
			}
			done()
			return nil
		}
		r.spawn()
		r.open()
		var wg sync.WaitGroup
		stop := make(chan struct{})
		background := func(do func()) {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
						do()
					}
				}
			})
		}
		background(func() { r.box.Snapshot() })
		background(func() { r.box.Room(); r.box.UserMessageCount() })
		background(func() { r.box.PostUserMessage("control") })
		background(func() { r.box.Progress(); _ = r.box.Fault() })
		for at := int64(0); at < records; {
			if r.box.Room() > 0 {
				n := int64(rnd.IntN(50) + 1)
				r.box.Deliver(r.seek, upTo(at, at+n-1), Extent{})
				at += n
			}
			time.Sleep(time.Millisecond)
		}
		for next.Load() < records {
			time.Sleep(10 * time.Millisecond)
		}
		r.box.Revoke(&messages.Revoked{})
		synctest.Wait()
		close(stop)
		wg.Wait()
		if got := r.committed().Next; got != next.Load() || finished.Load() != got {
			t.Errorf("%d finished, %d committed, next is %d", finished.Load(), got, next.Load())
		}
		r.end()
	})
}

// The policy parks a partition whose actor stops itself; the operator's "retry" spawns a new one, and that is all
// that was asked for.
func TestRespawnEndsTheParkForItsWant(t *testing.T) {
	bubble(t, func(r *rig) {
		r.withActor()
		r.deliver(0)
		r.system(&actor.Stop{})
		r.box.Note(messages.Failure{Offset: -1, Class: messages.ClassActorStopped}, messages.Decision{Action: messages.ActionPark, Reason: "gone"})
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Reason != "gone" {
			t.Errorf("%v %q", s.State, s.Reason)
		}
		r.deliver(1)
		r.respawn()
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 stopping", "1 stopped", "terminated", "2 started", "2 assigned at 1", "2: 1/0")
	})
}
