package actors

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// A revocation takes its time from nobody: whatever the partition waits for, the actor ends at once.
func TestRevokedOvertakesEverything(t *testing.T) {
	type scene struct {
		verdict func(*asked)
		failing func(*messages.Record)
	}
	fail := func(rec *messages.Record) { rec.Complete(errors.New("no")) }
	for name, s := range map[string]scene{
		"an hour's backoff": {retry(time.Hour), fail},
		"a park":            {park, fail},
		"a restart's hold":  {restart(time.Hour), fail},
	} {
		for how, end := range map[string]func(*rig){
			"revoked": func(r *rig) { r.box.Revoke(&messages.Revoked{}) },
			"lost":    func(r *rig) { r.box.Lose(&messages.Lost{}) },
		} {
			bubbleOf(t, name+", "+how, func(r *rig) {
				r.verdict = s.verdict
				r.receive = receiving(s.failing)
				r.withActor()
				r.deliver(0, 1, 2)
				began := time.Now()
				synctest.Wait()
				r.locked(func() { r.log = r.log[len(r.log)-1:] })
				inc := "1"
				if name == "a restart's hold" {
					inc = "2"
				}
				r.log = nil
				end(r)
				r.said(inc+" "+how, inc+" stopping", inc+" stopped", "terminated")
				if waited := time.Since(began); waited > 0 {
					r.t.Errorf("it took %v", waited)
				}
				r.wantFirst(0)
			})
		}
	}
}

// The policy lets an actor whose control message, or hook, has failed wait for an hour. It is suspended meanwhile;
// no verdict and no resume will come before the claim's end.
func TestRevokedOvertakesASuspension(t *testing.T) {
	for name, judged := range map[string]bool{"judged": true, "not judged": false} {
		bubbleOf(t, name, func(r *rig) {
			r.verdict = wait
			r.receive = func(ctx actor.Context) {
				if ctx.Message() == "control" {
					panic("no")
				}
			}
			r.withActor()
			r.send("control")
			if judged {
				r.last().judge(messages.Decision{Action: messages.ActionRestart, Delay: time.Hour})
			}
			r.send("another")
			r.box.Revoke(&messages.Revoked{})
			r.said("1 started", "1 assigned at 0", "1 control", "1 revoked", "1 stopping", "1 stopped", "terminated")
		})
	}
}

// A record that was in flight at the revocation fails: the policy's word on it is awaited (it may be a skip, whose
// offset is to be committed), and then the actor is told and ends, without a restart in between.
func TestAFailureWhileRevokedIsJudgedFirst(t *testing.T) {
	for name, c := range map[string]struct {
		verdict func(*asked)
		want    Progress
	}{
		"skip":    {skip, Progress{Next: 1}},
		"retry":   {retry(time.Hour), Progress{Attempt: 1}},
		"restart": {restart(time.Hour), Progress{Attempt: 1}},
		"park":    {park, Progress{Attempt: 1, Parked: true, Reason: "why"}},
	} {
		bubbleOf(t, name, func(r *rig) {
			release := make(chan struct{})
			r.verdict = func(a *asked) { time.AfterFunc(time.Second, func() { c.verdict(a) }) }
			r.receive = receiving(func(rec *messages.Record) { <-release; panic("no") })
			r.withActor()
			r.deliver(0, 1)
			r.box.Revoke(&messages.Revoked{})
			close(release)
			r.said("1 started", "1 assigned at 0", "1: 0/0")
			time.Sleep(2 * time.Second)
			r.said("1 revoked", "1 stopping", "1 stopped", "terminated")
			if p := r.committed(); p != c.want {
				r.t.Errorf("committed %+v, want %+v", p, c.want)
			}
		})
	}
}

// In flight at the revocation: it may finish, and counts. The rest is the next owner's.
func TestRevokedLetsTheRecordInFlightFinish(t *testing.T) {
	bubble(t, func(r *rig) {
		r.handle = func(ctx context.Context, rec *messages.Record) error {
			time.Sleep(time.Minute)
			return ctx.Err()
		}
		r.withHandler()
		r.deliver(0, 1)
		r.box.Revoke(&messages.Revoked{})
		if n := r.box.Room(); n >= 0 {
			t.Errorf("room for %d bytes", n)
		}
		r.deliver(2)
		time.Sleep(2 * time.Minute)
		r.said("0/0", "terminated")
		r.wantCommitted(1)
	})
}

// Only who was told Assigned is told of the end.
func TestFarewellOnlyToWhoWasAssigned(t *testing.T) {
	bubbleOf(t, "never opened", func(r *rig) {
		r.ofActor()
		r.spawn()
		r.box.Revoke(&messages.Revoked{})
		r.said("1 started", "1 stopping", "1 stopped", "terminated")
		r.wantCommitted(-1)
	})
	bubbleOf(t, "Assigned failed", func(r *rig) {
		r.verdict = wait
		r.receive = func(ctx actor.Context) {
			if _, ok := ctx.Message().(*messages.Assigned); ok {
				panic("no")
			}
		}
		r.withActor()
		r.box.Revoke(&messages.Revoked{})
		r.said("1 started", "1 assigned at 0", "1 stopping", "1 stopped", "terminated")
	})
}

// A hook is called once per claim and not per incarnation. The revocation comes when a fresh incarnation is there
// that nobody has greeted: the hook is told of the end all the same.
func TestHooksAreToldOfTheEndAfterARestart(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Hooks = Hooks{
			Assigned: func(context.Context, messages.Claim) error { r.say("assigned"); return nil },
			Revoked:  func(messages.Revoked) { r.say("revoked") },
		}
		r.withHandler()
		r.box.mu.Lock() // the mailbox's goroutine meets both at once, the system message first
		r.box.system.push(&actor.Restart{})
		r.box.leave(&messages.Revoked{})
		r.box.kick()
		r.said("assigned", "revoked", "terminated")
	})
}

// The claim is revoked, then lost; or lost, and a revocation comes late. A lost claim is never called revoked.
func TestLostAfterRevokedAndTheOtherWayRound(t *testing.T) {
	bubbleOf(t, "revoked, then lost", func(r *rig) {
		r.receive = receiving((*messages.Record).Keep)
		r.withActor()
		r.deliver(0)
		r.box.Revoke(&messages.Revoked{})
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 revoked")
		r.box.Revoke(&messages.Revoked{}) // the shutdown comes, too
		r.said()
		r.box.Lose(&messages.Lost{})
		r.said("1 lost", "1 stopping", "1 stopped", "terminated")
	})
	bubbleOf(t, "lost, then revoked", func(r *rig) {
		release := make(chan struct{})
		r.receive = receiving(func(*messages.Record) { <-release })
		r.withActor()
		r.deliver(0)
		r.box.Lose(&messages.Lost{})
		r.box.Revoke(&messages.Revoked{})
		close(release)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 lost", "1 stopping", "1 stopped", "terminated")
	})
}

// Somebody else may own the partition: not one commit more.
func TestNothingIsCommittedAfterLost(t *testing.T) {
	bubble(t, func(r *rig) {
		r.hold = true
		release := make(chan struct{})
		r.handle = func(ctx context.Context, rec *messages.Record) error {
			if rec.Offset < 5 {
				return nil
			}
			<-release
			if !errors.Is(context.Cause(ctx), messages.ErrLost) {
				t.Errorf("the context ended with %v", context.Cause(ctx))
			}
			return nil // it finishes all the same
		}
		r.withHandler()
		r.deliver(0, 1, 2, 3, 4, 5)
		r.box.Lose(&messages.Lost{})
		before := len(r.notes)
		r.notes[0].done(nil)
		close(release)
		r.said("0/0", "1/0", "2/0", "3/0", "4/0", "5/0", "terminated")
		if len(r.notes) != before {
			t.Errorf("committed %+v", r.notes[len(r.notes)-1])
		}
		r.wantFirst(5)
		r.wantFaults()
	})
}

// A kept record holds nobody up once the claim is lost.
func TestLostDoesNotWaitForAKeptRecord(t *testing.T) {
	bubble(t, func(r *rig) {
		var k keeper
		r.handle = k.handle
		r.withHandler()
		r.deliver(0)
		r.box.Lose(&messages.Lost{})
		r.said("0/0", "terminated")
		if k.kept[0].Complete(nil) {
			t.Error("a completion counted")
		}
		r.wantCommitted(-1)
	})
}

// A handler that does not return is left behind. When it does, after the partition has come back to this process
// perhaps, its answer moves nothing, and the actor gets nothing but Stop.
func TestAbandonedHandlersDoNotCount(t *testing.T) {
	for name, late := range map[string]func(*messages.Record) error{
		"nil":      func(*messages.Record) error { return nil },
		"error":    func(*messages.Record) error { return errors.New("no") },
		"panic":    func(*messages.Record) error { panic("no") },
		"seek":     func(*messages.Record) error { return messages.SeekTo(99) },
		"complete": func(rec *messages.Record) error { rec.Complete(nil); return nil },
	} {
		bubbleOf(t, name, func(r *rig) {
			r.hold = true
			r.set.Seek = func(int64, uint64) {}
			r.set.Hooks.Revoked = func(messages.Revoked) { r.say("revoked") }
			release := make(chan struct{})
			r.handle = func(_ context.Context, rec *messages.Record) error {
				if rec.Offset < 3 {
					return nil
				}
				<-release
				return late(rec)
			}
			r.withHandler()
			r.deliver(0, 1, 2, 3, 4)
			r.box.Revoke(&messages.Revoked{})
			r.box.Cancel(messages.ErrRevoked)
			r.box.Abandon(messages.ErrRevoked)
			// What was finished before is still ours to commit.
			r.wantCommitted(3)
			notes := len(r.notes)
			close(release)
			r.said("0/0", "1/0", "2/0", "3/0", "terminated")
			if len(r.notes) != notes || len(r.seeks) != 0 {
				r.t.Errorf("committed %+v, sought %v", r.committed(), r.seeks)
			}
			r.wantFirst(3)
			r.wantFaults()
		})
	}
}

// The verdict on a record comes after the claim was abandoned, or lost: too late to commit anything.
func TestAVerdictThatComesTooLateCommitsNothing(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"abandoned": func(r *rig) { r.box.Abandon(messages.ErrRevoked) },
		"lost":      func(r *rig) { r.box.Lose(&messages.Lost{}) },
	} {
		bubbleOf(t, name, func(r *rig) {
			r.verdict = wait
			r.handle = failFirst
			r.withHandler()
			r.deliver(0)
			end(r)
			r.said("0/0", "terminated")
			r.last().judge(messages.Decision{Action: messages.ActionSkip})
			r.wantCommitted(-1)
		})
	}
}

// An abandoned actor gets nothing but Stop, whatever comes after.
func TestLostAfterAbandoned(t *testing.T) {
	bubble(t, func(r *rig) {
		release := make(chan struct{})
		r.receive = receiving(func(*messages.Record) { <-release })
		r.withActor()
		r.deliver(0)
		r.box.Abandon(messages.ErrRevoked)
		r.box.Lose(&messages.Lost{})
		close(release)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 stopping", "1 stopped", "terminated")
	})
}

// The parent flushes when it learns of the actor's end. What is finished must have been noted by then, although an
// older note is still on its way.
func TestTheLastNoteComesBeforeTheEnd(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"revoked": func(r *rig) { r.box.Revoke(&messages.Revoked{}) },
		"stopped": func(r *rig) { r.system(&actor.Stop{}) },
	} {
		bubbleOf(t, name, func(r *rig) {
			r.hold = true
			release := make(chan struct{})
			noted := int64(-1)
			r.receive = func(ctx actor.Context) {
				switch msg := ctx.Message().(type) {
				case *actor.Stopping:
					r.locked(func() { noted = r.notes[len(r.notes)-1].Next })
				case *messages.Record:
					if msg.Offset == 2 {
						<-release
					}
					msg.Complete(nil)
				}
			}
			r.withActor()
			r.deliver(0, 1, 2)
			end(r)
			close(release)
			synctest.Wait()
			if noted != 3 {
				r.t.Errorf("%d was noted when the actor ended, want 3", noted)
			}
		})
	}
}

// The source fails behind records that are there already: they are worked off first.
func TestASourceFailureParksBehindItsRecords(t *testing.T) {
	bubble(t, func(r *rig) {
		release := make(chan struct{})
		r.handle = func(context.Context, *messages.Record) error { <-release; return nil }
		r.withHandler()
		r.deliver(0, 1)
		r.box.Failed(r.seek, errors.New("corrupt"))
		r.box.Failed(r.seek-1, errors.New("of an older seek"))
		synctest.Wait()
		if len(r.reports) != 0 || r.box.Snapshot().State != messages.StateBusy {
			t.Error("parked with records to work off")
		}
		close(release)
		r.said("0/0", "1/0")
		s := r.box.Snapshot()
		if s.State != messages.StateParked || s.Reason != "corrupt" {
			t.Errorf("%v %q", s.State, s.Reason)
		}
		if len(r.reports) != 1 || r.reports[0].Source == nil || r.reports[0].Offset != 2 {
			t.Errorf("reports %+v", r.reports)
		}
		r.wantCommitted(2)
		if r.box.Progress().Parked {
			t.Error("the next owner would start parked, although its source may be well")
		}
		r.seek = r.box.Reseek(2, 8) // somebody asks again
		r.deliver(2)
		r.said("2/0")
	})
}

func TestOpenTakesOverWhatThePreviousOwnerLeft(t *testing.T) {
	bubbleOf(t, "attempts", func(r *rig) {
		r.withHandler()
		r.seek = r.box.Open(5, 9, Progress{Next: 5, Attempt: 3})
		r.deliver(5, 6)
		r.said("5/3", "6/0")
	})
	bubbleOf(t, "a park", func(r *rig) {
		r.withHandler()
		r.seek = r.box.Open(5, 9, Progress{Next: 5, Attempt: 3, Parked: true, Reason: "poison"})
		r.deliver(5, 6)
		r.said()
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Reason != "poison" || s.Attempt != 3 {
			r.t.Errorf("%+v", s)
		}
		if err := r.box.RetryHead(5); err != nil {
			r.t.Error(err)
		}
		r.said("5/3", "6/0")
	})
	bubbleOf(t, "what belongs to another offset", func(r *rig) {
		r.withHandler()
		r.seek = r.box.Open(5, 9, Progress{Next: 4, Attempt: 3, Parked: true})
		r.deliver(5)
		r.said("5/0")
	})
}

// A park that somebody decided on is not undone by a start that becomes known; one that was about the start is.
func TestOpenKeepsAParkThatIsNotAboutTheStart(t *testing.T) {
	for class, kept := range map[messages.Class]bool{
		messages.ClassPanic: true, messages.ClassHandler: true, messages.ClassHook: true,
		messages.ClassStore: false, messages.ClassSource: false, messages.ClassFenced: false,
	} {
		box := NewMailbox(Settings{Context: context.Background(), Records: 10, Bytes: 1000, Budget: NewBudget(1000)})
		for name, move := range map[string]func(){"Open": func() { box.Open(0, 0, Progress{}) }, "Reseek": func() { box.Reseek(5, 0) }} {
			box.Park("why", class)
			move()
			if got := box.Snapshot().State == messages.StateParked; got != kept {
				t.Errorf("parked with class %v, after %s: parked %v, want %v", class, name, got, kept)
			}
		}
		box.Close()
	}
}

func TestReseekThrowsTheBacklogAway(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = retry(time.Hour)
		var fence int64
		r.handle = func(_ context.Context, rec *messages.Record) error {
			fence = rec.Fence
			if rec.Offset == 0 {
				return messages.ErrFenced
			}
			return nil
		}
		r.withHandler()
		r.deliver(0, 1)
		r.wantFaults("Fenced 0/0")
		old := r.seek
		r.seek = r.box.Reseek(30, 8)
		r.box.Deliver(old, from(30), Extent{})
		time.Sleep(2 * time.Hour) // the hold was of a record that is gone
		r.deliver(31)
		r.said("0/0", "31/0")
		if fence != 8 || r.box.Fence() != 8 {
			t.Errorf("fence %d, %d", fence, r.box.Fence())
		}
		r.wantCommitted(32)
	})
}

func TestRoomByCountAndBytes(t *testing.T) {
	for name, set := range map[string]func(*Settings){
		"records": func(s *Settings) { s.Records = 10 },
		"bytes":   func(s *Settings) { s.Bytes = 10 * from(10).Size(0) },
	} {
		bubbleOf(t, name, func(r *rig) {
			set(&r.set)
			gate := make(chan struct{})
			r.handle = func(context.Context, *messages.Record) error { <-gate; return nil }
			r.withHandler()
			if r.box.Room() <= 0 {
				r.t.Error("no room in an empty backlog")
			}
			r.box.Deliver(r.seek, upTo(10, 18), Extent{})
			if r.box.Room() <= 0 {
				r.t.Error("no room below the high mark")
			}
			r.box.Deliver(r.seek, upTo(19, 39), Extent{}) // a fetch overshoots; nothing is dropped
			if n := r.box.Room(); n != 0 {
				r.t.Errorf("room %d above the high mark", n)
			}
			for range 24 {
				gate <- struct{}{}
			}
			synctest.Wait()
			if n := r.box.Room(); n != 0 || r.wakes != 0 {
				r.t.Errorf("room %d, %d wakes between the marks: it would refill in drops", n, r.wakes)
			}
			gate <- struct{}{}
			synctest.Wait()
			if r.wakes != 1 || r.box.Room() <= 0 {
				r.t.Errorf("%d wakes, room %d at the low mark", r.wakes, r.box.Room())
			}
			close(gate)
			r.wantFirst(40)
		})
	}
}

func TestRoomWhileTheGateIsClosed(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Records = 4
		r.verdict = park
		r.handle = failFirst
		r.withHandler()
		r.deliver(0)
		if r.box.Room() <= 0 {
			t.Error("a parked partition may fetch up to its mark")
		}
		r.deliver(1, 2, 3, 4)
		if n := r.box.Room(); n >= 0 {
			t.Errorf("room %d, want paused for long", n)
		}
		if err := r.box.RetryHead(0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r.wakes == 0 {
			t.Error("the source was not told that the partition goes on")
		}
	})
}

func TestRoomBeforeOpenAndAfterClose(t *testing.T) {
	t.Parallel()
	box := NewMailbox(Settings{Context: context.Background(), Records: 10, Bytes: 1000, Budget: NewBudget(1000)})
	if n := box.Room(); n >= 0 {
		t.Errorf("room %d before the start is known", n)
	}
	box.Open(0, 0, Progress{})
	if n := box.Room(); n <= 0 {
		t.Errorf("room %d", n)
	}
	box.Close()
	box.Close()
	if n := box.Room(); n >= 0 {
		t.Errorf("room %d after the end", n)
	}
}

// The parent's context is the supervisor's: it ends, and every attempt's ends with its cause.
func TestContextsDeriveFromTheRoot(t *testing.T) {
	bubble(t, func(r *rig) {
		root, end := context.WithCancelCause(context.Background())
		r.set.Context = root
		r.handle = func(ctx context.Context, rec *messages.Record) error {
			if got, ok := messages.FromContext(ctx); !ok || got != rec {
				t.Error("the context does not know its record")
			}
			<-ctx.Done()
			return ctx.Err()
		}
		r.withHandler()
		r.deliver(0, 1)
		end(messages.ErrStopped)
		r.said("0/0")
		r.wantFaults()
	})
}

// A partition is parked by somebody's decision when its source ends, too, or its store has a newer fence. Those are
// over when the position has changed; what somebody decided is not.
func TestAParkThatPassesDoesNotUndoADecision(t *testing.T) {
	still := func(r *rig, reason string) {
		r.t.Helper()
		synctest.Wait()
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Reason != reason {
			r.t.Errorf("%v %q, want parked for %q", s.State, s.Reason, reason)
		}
	}
	bubbleOf(t, "the source ends", func(r *rig) {
		r.withHandler()
		r.box.Park("maintenance", messages.ClassHandler)
		r.box.Failed(r.seek, errors.New("out of range"))
		still(r, "maintenance")
		if len(r.reports) != 1 || r.reports[0].Source == nil {
			r.t.Errorf("the supervisor, who is to ask the source again, knows only %+v", r.reports)
		}
		r.box.Note(messages.Failure{Offset: -1, Class: messages.ClassSource}, messages.Decision{Action: messages.ActionPark, Reason: "out of range"})
		still(r, "maintenance")
		r.seek = r.box.Reseek(5, 0) // the choice for an offset out of range
		r.deliver(5)
		r.said()
		still(r, "maintenance")
		if err := r.box.RetryHead(5); err != nil {
			r.t.Error(err)
		}
		r.said("5/0")
	})
	bubbleOf(t, "the source ends, and there is no actor", func(r *rig) {
		r.produce = func(n int) actor.Actor {
			if n == 1 {
				panic("no")
			}
			return &probe{r, n}
		}
		r.verdict = park
		r.withActor()
		r.box.Failed(r.seek, errors.New("out of range"))
		still(r, "why")
		r.seek = r.box.Reseek(5, 0)
		r.deliver(5)
		still(r, "why") // open, it would stand still, and no command could end that
		if err := r.box.RetryHead(5); err != nil || !r.box.Occupy() {
			r.t.Error("nobody can end it:", err)
		}
		r.system(&actor.Restart{})
		r.said("2 started", "2 assigned at 5", "2: 5/0")
	})
	bubbleOf(t, "fenced", func(r *rig) {
		r.verdict = park
		release := make(chan struct{})
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if <-release; r.box.Fence() == 7 {
				return messages.ErrFenced
			}
			return nil
		}
		r.withHandler()
		r.deliver(0)
		r.box.Park("maintenance", messages.ClassHandler)
		close(release)
		still(r, "maintenance")
		r.wantFaults("Fenced 0/0")
		r.seek = r.box.Reseek(0, 8)
		still(r, "maintenance")
	})
	bubbleOf(t, "the other way round", func(r *rig) {
		r.withHandler()
		r.box.Failed(r.seek, errors.New("out of range"))
		still(r, "out of range")
		r.box.Park("maintenance", messages.ClassHandler)
		still(r, "maintenance")
	})
}
