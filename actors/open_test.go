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
