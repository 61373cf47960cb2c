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
			if p := r.committed(); !p.Equal(c.want) {
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

// A partition is being revoked, and is lost, or left behind: before contexts end for that, it is known that they do. Else a
// handler that returns for it would have its actor told Revoked, as if it were still the owner.
func TestContextsEndOnceItIsKnownWhy(t *testing.T) {
	for name, end := range map[string]func(*Mailbox){
		"lost":        func(m *Mailbox) { m.Lose(&messages.Lost{}) },
		"left behind": func(m *Mailbox) { m.Abandon(messages.ErrStopped) },
	} {
		bubbleOf(t, name, func(r *rig) {
			r.handle = func(ctx context.Context, _ *messages.Record) error { <-ctx.Done(); return context.Cause(ctx) }
			r.withHandler()
			r.deliver(0, 1)
			r.box.Revoke(&messages.Revoked{})
			end(func() *Mailbox {
				cancel := r.box.endClaim
				r.box.endClaim = func(cause error) {
					if cause != nil && !r.box.over() {
						r.t.Error("contexts end, and a handler that returns now would be taken for one in time")
					}
					cancel(cause)
				}
				return r.box
			}())
			r.said("0/0", "terminated")
		})
	}
}
