package actors

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

func ann() Pause { return Pause{By: "ann", Since: time.Now()} }

// The record in flight is finished and committed; nothing behind it is delivered before Resume. Messages arrive.
func TestPause(t *testing.T) {
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
		r.said("1 started", "1 assigned at 0", "1: 0/0")
		since := time.Now()
		if !r.box.Pause(ann()) || r.box.Pause(Pause{By: "bob"}) {
			t.Error("the first pause counts, and no other")
		}
		if s := r.box.Snapshot(); s.State != messages.StateBusy || s.PausedBy != "ann" || !s.PausedSince.Equal(since) {
			t.Errorf("while the last record is handled: %+v", s)
		}
		close(release)
		synctest.Wait()
		r.wantCommitted(1)
		r.send("hello")
		r.deliver(3, 4)
		time.Sleep(time.Hour)
		r.said("1 hello")
		if s := r.box.Snapshot(); s.State != messages.StatePaused || s.Head != 1 || s.Depth != 4 {
			t.Errorf("%+v", s)
		}
		if !r.box.Resume() || r.box.Resume() {
			t.Error("the first one resumes, and no other")
		}
		r.said("1: 1/0", "1: 2/0", "1: 3/0", "1: 4/0")
		if s := r.box.Snapshot(); s.State != messages.StateIdle || s.PausedBy != "" || !s.PausedSince.IsZero() {
			t.Errorf("%+v", s)
		}
	})
}

// A pause is beside a hold and a park: neither one's end is the other's.
func TestAPauseIsBesideAHold(t *testing.T) {
	for name, verdict := range map[string]func(*asked){"hold": retry(time.Minute), "park": park} {
		for _, first := range []string{"resume", "gate"} {
			bubbleOf(t, name+" "+first, func(r *rig) {
				r.verdict = verdict
				r.handle = func(ctx context.Context, rec *messages.Record) error {
					if rec.Offset == 0 {
						return failFirst(ctx, rec)
					}
					return nil
				}
				r.withHandler()
				r.deliver(0, 1)
				r.said("0/0")
				r.box.Pause(ann())
				gate := func() {
					if name == "hold" {
						time.Sleep(time.Minute)
					} else {
						r.unpark(0)
					}
				}
				want := messages.StatePaused
				if name == "park" {
					want = messages.StateParked
				}
				if s := r.box.Snapshot(); s.State != want {
					r.t.Errorf("%+v, want %v", s, want)
				}
				if first == "resume" {
					r.box.Resume()
					r.said()
					gate()
				} else {
					gate()
					r.said()
					if s := r.box.Snapshot(); s.State != messages.StatePaused || s.Head != 0 || s.Attempt != 1 {
						r.t.Errorf("%+v", s)
					}
					var head *HeadError
					if err := r.box.RetryHead(0); !errors.As(err, &head) || !strings.Contains(err.Error(), "paused") {
						r.t.Errorf("RetryHead of what is only paused: %v", err)
					}
					r.box.Resume()
				}
				r.said("0/1", "1/0")
			})
		}
	}
}

// The head of a paused partition can be given up. One that is detained for that does not get out by Resume.
func TestSkipWhilePaused(t *testing.T) {
	bubble(t, func(r *rig) {
		r.withHandler()
		r.box.Pause(ann())
		r.deliver(0, 1, 2)
		if err := r.box.SkipHead(0); err != nil {
			t.Error(err)
		}
		r.wantCommitted(1)
		if got, err := r.box.Detain(1, "a skip is under way", messages.ClassStore); err != nil || got.Offset != 1 {
			t.Errorf("%v, %v", got, err)
		}
		r.box.Resume()
		r.said()
		if err := r.box.SkipHead(1); err != nil {
			t.Error(err)
		}
		r.said("2/0")
	})
}

// A paused partition is fetched up to its mark. When it stands for long it gives its memory back, and goes on where that was.
func TestAPauseIsBounded(t *testing.T) {
	bubble(t, func(r *rig) {
		r.parking()
		r.set.Records = 4
		r.withHandler()
		r.box.Pause(ann())
		if r.box.Room() <= 0 {
			t.Error("a paused partition may fetch up to its mark")
		}
		r.deliver(0, 1, 2, 3)
		if n := r.box.Room(); n >= 0 {
			t.Errorf("room %d, want paused for long", n)
		}
		time.Sleep(time.Minute)
		r.seek = r.reopened(1)
		if s := r.box.Snapshot(); s.State != messages.StatePaused || s.Depth != 1 || s.Shed != 3 || s.ShedFrom != 1 {
			t.Errorf("%+v", s)
		}
		r.box.Resume()
		synctest.Wait()
		if r.wakes == 0 || r.box.Room() <= 0 {
			t.Errorf("%d wakes, room %d: the source does not know that it goes on", r.wakes, r.box.Room())
		}
		if s := r.box.Snapshot(); s.Shed != 0 {
			t.Errorf("%+v", s)
		}
		r.deliver(1, 2, 3)
		r.said("0/0", "1/0", "2/0", "3/0")
		r.wantCommitted(4)
		busy := make(chan struct{})
		r.handle = func(context.Context, *messages.Record) error { <-busy; return nil }
		r.deliver(4, 5, 6)
		if n := r.box.Room(); n <= 0 {
			t.Errorf("room %d, and it does not stand any more", n)
		}
		time.Sleep(time.Hour)
		r.reopened(-1)
		close(busy)
	})
}

// The time after which memory is given back is that of standing: a park under a pause goes on with it, and its end alone
// does not end it.
func TestAParkUnderAPauseStandsForBoth(t *testing.T) {
	bubble(t, func(r *rig) {
		r.parks()
		r.deliver(0, 1, 2)
		time.Sleep(30 * time.Second)
		r.box.Pause(ann())
		r.unpark(0)
		time.Sleep(30 * time.Second)
		r.reopened(1)
		r.box.Resume()
		r.said("0/0", "0/1")
		time.Sleep(time.Hour)
		r.reopened(-1)
	})
}

// A pause comes before the start is known, and outlasts a seek; Assigned is told, and a revocation is prompt.
func TestAPauseOutlastsAPosition(t *testing.T) {
	bubble(t, func(r *rig) {
		r.ofActor()
		r.spawn()
		r.box.Pause(ann())
		if s := r.box.Snapshot(); s.State != messages.StateAwaitingSeek || s.PausedBy != "ann" {
			t.Errorf("%+v", s)
		}
		r.open()
		r.deliver(0, 1)
		r.said("1 started", "1 assigned at 0")
		r.seek = r.box.Reseek(1, 8)
		r.deliver(1, 2)
		if s := r.box.Snapshot(); s.State != messages.StatePaused || s.Head != 1 {
			t.Errorf("%+v", s)
		}
		r.said()
		r.box.Revoke(&messages.Revoked{})
		r.said("1 revoked", "1 stopping", "1 stopped", "terminated")
	})
}
