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

// failFirst fails at the first attempt of each record.
func failFirst(_ context.Context, rec *messages.Record) error {
	if rec.Attempt == 0 {
		return errors.New("no")
	}
	return nil
}

func TestAHoldDelaysTheHeadAndNothingElse(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = retry(time.Hour)
		r.handle = failFirst
		r.withHandler()
		began := time.Now()
		r.deliver(0, 1)
		r.said("0/0")
		if s := r.box.Snapshot(); s.State != messages.StateHolding || !s.NextRetry.Equal(began.Add(time.Hour)) || s.Attempt != 1 || s.Depth != 2 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Hour - time.Second)
		r.said()
		time.Sleep(2 * time.Second)
		r.said("0/1", "1/0")
	})
}

// The operator's "retry now" comes in the middle of the hold. The timer of that hold must not end the next one.
func TestRetryHeadEndsAHoldAndItsTimer(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = retry(time.Hour)
		r.handle = func(context.Context, *messages.Record) error { return errors.New("no") }
		r.withHandler()
		r.deliver(0)
		time.Sleep(time.Minute)
		first := r.box.holding
		if err := r.box.RetryHead(0); err != nil {
			t.Fatal(err)
		}
		r.said("0/0", "0/1")
		r.box.release(first) // it had fired already and waited for the lock
		r.said()
		time.Sleep(time.Hour - time.Second) // the first hold's hour is over
		r.said()
		time.Sleep(2 * time.Second)
		r.said("0/2")
	})
}

func TestCommandsOnTheHead(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = park
		r.handle = failFirst
		r.withHandler()
		var refused *HeadError
		if err := r.box.RetryHead(0); !errors.As(err, &refused) {
			t.Errorf("a partition that runs: %v", err)
		}
		r.deliver(0, 1, 2)
		if err := r.box.RetryHead(1); !errors.As(err, &refused) || refused.Want != 1 || refused.Have != 0 {
			t.Errorf("another head: %v", err)
		}
		if err := r.box.SkipHead(0); err != nil {
			t.Error(err)
		}
		r.said("0/0", "1/0")
		r.wantCommitted(1)
		if err := r.box.RetryHead(1); err != nil {
			t.Error(err)
		}
		r.said("1/1", "2/0")
		r.box.Revoke(&messages.Revoked{})
		if err := r.box.SkipHead(2); !errors.As(err, &refused) {
			t.Errorf("a partition that is given up: %v", err)
		}
		if c := r.box.Snapshot().Counters; c.Skipped != 1 || c.Failed != 3 || c.Handled != 1 {
			t.Errorf("%+v", c)
		}
	})
}

func TestCommandsWhileTheHeadIsHandled(t *testing.T) {
	bubble(t, func(r *rig) {
		var k keeper
		r.handle = k.handle
		r.withHandler()
		r.deliver(0)
		r.box.Park("maintenance", messages.ClassHandler)
		if err := r.box.SkipHead(0); err == nil {
			t.Error("a record that is being handled was skipped")
		}
		k.kept[0].Complete(nil)
		r.wantFirst(1)
		if err := r.box.SkipHead(1); err == nil {
			t.Error("a record that is not there was skipped")
		}
		if s := r.box.Snapshot(); s.State != messages.StateParked {
			t.Errorf("a refused command left the state %v", s.State)
		}
	})
}

// Somebody parks the partition while a record is in flight; it fails, and the policy says: retry in ten seconds.
// The park is not undone by that.
func TestARetryDoesNotUndoAPark(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = retry(10 * time.Second)
		release := make(chan struct{})
		r.handle = func(ctx context.Context, rec *messages.Record) error { <-release; return failFirst(ctx, rec) }
		r.withHandler()
		r.deliver(0)
		r.box.Park("maintenance", messages.ClassHandler)
		close(release)
		time.Sleep(time.Minute)
		r.said("0/0")
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Reason != "maintenance" {
			t.Errorf("%v %q", s.State, s.Reason)
		}
	})
}

func TestJudgeRefusesAFaultThatIsOver(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = wait
		r.handle = failFirst
		r.withHandler()
		r.deliver(0)
		old := r.last()
		r.system(&actor.Restart{})
		old.judge(messages.Decision{Action: messages.ActionSkip})
		r.said("0/0", "0/1", "verdict refused")
		r.handle = func(context.Context, *messages.Record) error { return errors.New("no") }
		r.deliver(1)
		old.judge(messages.Decision{Action: messages.ActionSkip}) // another fault waits for its verdict now
		r.said("1/0", "verdict refused")
		r.wantFirst(1)
		if r.box.Judge(nil, messages.Failure{}, messages.Decision{}) {
			t.Error("judged nothing")
		}
	})
}

// Note is for a fault that did not come through the mailbox, for example that the claim's start could not be read.
func TestNote(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Wake, r.set.Tell = func() {}, func(Report) {}
		box := NewMailbox(r.set)
		failure := messages.Failure{Offset: -1, Class: messages.ClassStore, Err: errors.New("down")}
		box.Note(failure, messages.Decision{Action: messages.ActionRetry})
		if s := box.Snapshot(); s.State != messages.StateAwaitingSeek || s.Error != "down" || s.Counters.Failed != 1 {
			t.Errorf("%+v", s)
		}
		box.Note(failure, messages.Decision{Action: messages.ActionPark, Reason: "store"})
		if s := box.Snapshot(); s.State != messages.StateParked || s.Reason != "store" || s.Head != -1 {
			t.Errorf("a claim whose start is parked does not show it: %+v", s)
		}
		box.Open(0, 0, Progress{})
		if s := box.Snapshot(); s.State != messages.StateAwaitingSeek {
			t.Errorf("once its start is known, it is not parked any more: %+v", s)
		}
		box.Close()
	})
}

// An operator names an offset before the start is known. Nothing is committed that nobody has looked up.
func TestACommandBeforeTheStartIsKnownCommitsNothing(t *testing.T) {
	bubble(t, func(r *rig) {
		r.ofActor()
		r.spawn()
		r.box.Note(messages.Failure{Offset: -1, Class: messages.ClassStore}, messages.Decision{Action: messages.ActionPark})
		_ = r.box.RetryHead(0)
		r.wantCommitted(-1)
	})
}

// The head has failed before and waits; then a control message panics, and for that the partition is parked. It is
// not the record that waits for somebody: the next owner is to try it.
func TestAParkForAnotherReasonDoesNotTravel(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = func(a *asked) {
			if a.fault.Record != nil {
				retry(time.Hour)(a)
			} else {
				park(a)
			}
		}
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *messages.Record:
				msg.Complete(errors.New("no"))
			case string:
				panic("no")
			}
		}
		r.withActor()
		r.deliver(0)
		r.send("control")
		if s := r.box.Snapshot(); s.State != messages.StateParked {
			t.Errorf("state %v", s.State)
		}
		if p := r.box.Progress(); !p.Equal(Progress{Next: 0, Attempt: 1}) {
			t.Errorf("the next owner learns %+v", p)
		}
	})
}

// A plain strategy's Stop: the partition is parked, and the incarnation is gone.
func TestVacateAndOccupy(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = func(a *asked) {
			r.box.Vacate("stopped by the strategy")
			a.restart()
		}
		r.receive = receiving(func(rec *messages.Record) {
			if rec.Attempt == 0 {
				rec.Complete(errors.New("no"))
				return
			}
			rec.Complete(nil)
		})
		r.withActor()
		r.deliver(0)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 restarting")
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Attempt != 1 {
			t.Errorf("%+v", s)
		}
		r.send("is anybody there")
		r.said()
		// The gate opens before the fresh incarnation is there: nobody else may get the record.
		if err := r.box.RetryHead(0); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		r.wantFaults("Handler 0/0")
		if !r.box.Occupy() || r.box.Occupy() {
			t.Error("there was one vacancy")
		}
		r.system(&actor.Restart{})
		r.said("2 started", "3 assigned at 0", "2: 0/1") // the third incarnation, the second that the user made
		r.wantCommitted(1)
	})
}

// With a handler there is no actor to be gone, and who was assigned is told of the end.
func TestAVacantPartitionIsToldOfItsEnd(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Hooks = Hooks{
			Assigned: func(context.Context, messages.Claim) error { r.say("assigned"); return nil },
			Revoked:  func(messages.Revoked) { r.say("revoked") },
		}
		r.verdict = func(a *asked) {
			r.box.Vacate("stopped by the strategy")
			a.restart()
		}
		r.handle = failFirst
		r.withHandler()
		r.deliver(0)
		r.box.Revoke(&messages.Revoked{})
		r.said("assigned", "0/0", "revoked", "terminated")
	})
}

// The Assigned hook fails: nothing is delivered before it has succeeded, and it costs no record anything.
func TestTheAssignedHook(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no") },
		"panic": func() error { panic("no") },
	} {
		class := map[string]string{"error": "Hook greeting", "panic": "Panic greeting"}[name]
		setUp := func(r *rig) {
			tries := 0
			r.set.Hooks = Hooks{
				Assigned: func(context.Context, messages.Claim) error {
					r.say("assigned")
					if tries++; tries == 1 {
						return fail()
					}
					return nil
				},
				Revoked: func(messages.Revoked) { r.say("revoked") },
				Lost:    func(messages.Lost) { r.say("lost") },
			}
		}
		bubbleOf(t, name+", retried after a minute", func(r *rig) {
			setUp(r)
			r.verdict = func(a *asked) { time.AfterFunc(time.Minute, func() { retry(0)(a) }) }
			r.withHandler()
			r.deliver(0)
			r.said("assigned")
			r.wantFaults(class)
			time.Sleep(2 * time.Minute)
			r.said("assigned", "0/0")
			r.box.Revoke(&messages.Revoked{})
			r.said("revoked", "terminated")
		})
		bubbleOf(t, name+", restarted", func(r *rig) {
			setUp(r)
			r.verdict = restart(0)
			r.withHandler()
			r.deliver(0)
			r.said("assigned", "assigned", "0/0")
			r.system(&actor.Restart{})
			r.deliver(1)
			r.said("1/0") // once per claim
		})
		for how, verdict := range map[string]func(*asked){"skipped": skip, "plainly resumed": (*asked).resume} {
			bubbleOf(t, name+", "+how, func(r *rig) {
				setUp(r)
				r.verdict = verdict
				r.withHandler()
				r.deliver(0)
				r.said("assigned", "0/0") // and not again for ever
				r.box.Lose(&messages.Lost{})
				r.said("lost", "terminated")
			})
		}
		bubbleOf(t, name+", parked", func(r *rig) {
			setUp(r)
			r.verdict = park
			r.withHandler()
			r.deliver(0)
			r.said("assigned") // not again before somebody acts
			if s := r.box.Snapshot(); s.State != messages.StateParked || s.Attempt != 0 {
				r.t.Errorf("%+v", s)
			}
			if p := r.box.Progress(); p.Parked {
				r.t.Errorf("the next owner would start parked for this one's hook: %+v", p)
			}
			if err := r.box.RetryHead(0); err != nil {
				r.t.Error(err)
			}
			r.said("assigned", "0/0")
		})
	}
}

// Assigned failed in one incarnation and succeeded in the next. When a third one comes while the partition is parked for
// something else, it is greeted like any other.
func TestAGreetingThatSucceededIsForgiven(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = func(a *asked) {
			if a.fault.Record != nil {
				park(a)
			} else {
				restart(0)(a)
			}
		}
		greetings := 0
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *messages.Assigned:
				if greetings++; greetings == 1 {
					panic("once")
				}
			case *messages.Record:
				msg.Complete(errors.New("no"))
			case string:
				if msg == "die" {
					panic("no")
				}
			}
		}
		r.withActor()
		r.deliver(0)
		r.said("1 started", "1 assigned at 0", "1 restarting", "2 started", "2 assigned at 0", "2: 0/0")
		r.send("die")
		r.said("2 die", "2 restarting", "3 started", "3 assigned at 0")
		r.box.Revoke(&messages.Revoked{})
		r.said("3 revoked", "3 stopping", "3 stopped", "terminated")
	})
}

// The partition was parked while a record was in flight; the record fails, and the supervisor makes up its mind. A
// command that came now would find the next record under the verdict.
func TestCommandsWhileAVerdictIsAwaited(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = wait
		release := make(chan struct{})
		r.handle = func(ctx context.Context, rec *messages.Record) error {
			<-release
			return failFirst(ctx, rec)
		}
		r.withHandler()
		r.deliver(0, 1)
		r.box.Park("maintenance", messages.ClassHandler)
		close(release)
		asked := r.last()
		for name, command := range map[string]func() error{
			"retry": func() error { return r.box.RetryHead(0) },
			"skip":  func() error { return r.box.SkipHead(0) },
			"hold": func() error {
				_, err := r.box.Detain(0, "a skip", messages.ClassStore)
				return err
			},
			"dead letter": func() error { return r.box.DeadLetterHead(0) },
		} {
			var refused *HeadError
			if err := command(); !errors.As(err, &refused) {
				t.Errorf("%s: %v", name, err)
			}
		}
		park(asked)
		if err := r.box.SkipHead(0); err != nil {
			t.Error(err)
		}
		r.said("0/0", "1/0")
		r.wantCommitted(1)
	})
}
