package actors

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// parking has parks shed after a minute.
func (r *rig) parking() {
	r.set.ShedAfter = time.Minute
	r.set.Reopen = func(offset int64, seek uint64) {
		r.locked(func() { r.seeks = append(r.seeks, seekTo{offset, seek}) })
	}
}

// parks is a rig whose handler fails at each record's first attempt, and whose supervisor parks it for that.
func (r *rig) parks() {
	r.parking()
	r.verdict, r.handle = park, failFirst
	r.withHandler()
}

// reopened is the seek that the source was told, since the last time; 0: none.
func (r *rig) reopened(offset int64) (seek uint64) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	told := r.seeks
	r.seeks = nil
	switch {
	case offset < 0 && len(told) > 0:
		r.t.Errorf("the source was moved: %v", told)
	case offset >= 0 && (len(told) != 1 || told[0].offset != offset):
		r.t.Errorf("the source was moved: %v, want once, to %d", told, offset)
	case offset >= 0:
		return told[0].seek
	}
	return 0
}

// told is what the supervisor was told.
func (r *rig) told() (all []Report) {
	synctest.Wait()
	r.locked(func() { all = slices.Clone(r.reports) })
	return all
}

func (r *rig) unpark(offset int64) {
	r.t.Helper()
	if err := r.box.RetryHead(offset); err != nil {
		r.t.Errorf("un-park: %v", err)
	}
	synctest.Wait()
}

func TestALongParkShedsItsTail(t *testing.T) {
	bubble(t, func(r *rig) {
		r.parks()
		r.deliver(10, 11, 14)
		r.said("10/0")
		time.Sleep(time.Minute - time.Nanosecond)
		r.reopened(-1)
		if s := r.box.Snapshot(); s.Depth != 3 || s.Shed != 0 || r.box.Room() <= 0 {
			t.Errorf("before its time: depth %d, shed %d, room %d", s.Depth, s.Shed, r.box.Room())
		}
		time.Sleep(time.Nanosecond)
		seek := r.reopened(11)
		s := r.box.Snapshot()
		if s.State != messages.StateParked || s.Depth != 1 || s.Shed != 2 || s.ShedFrom != 11 || s.Head != 10 || s.Attempt != 1 || s.Lag != 990 {
			t.Errorf("%+v", s)
		}
		if own := int64(from(10).Size(0)); s.Bytes != own || r.set.Budget.Used() != own {
			t.Errorf("%d bytes, %d of the total, want %d", s.Bytes, r.set.Budget.Used(), own)
		}
		if told := r.told(); len(told) != 1 || told[0].Shed == nil || *told[0].Shed != (Shed{11, 2, int(2 * s.Bytes)}) {
			t.Errorf("reports %+v", told)
		}
		r.wantCommitted(10)
		r.deliver(15, 16) // was under way
		if room := r.box.Room(); room >= 0 || r.box.Snapshot().Depth != 1 {
			t.Errorf("room %d, depth %d: it is to be left alone", room, r.box.Snapshot().Depth)
		}
		r.unpark(10)
		r.said("10/1")
		wakes := 0
		if r.locked(func() { wakes = r.wakes }); wakes == 0 || r.box.Room() <= 0 {
			t.Errorf("%d wakes, room %d: the source does not know that it goes on", wakes, r.box.Room())
		}
		if s := r.box.Snapshot(); s.Head != 11 || s.Shed != 0 || s.Lag != 989 {
			t.Errorf("it stands at %d, shed %d, lag %d", s.Head, s.Shed, s.Lag)
		}
		r.wantCommitted(11)
		r.handle = nil
		r.deliver(15, 16) // and again: the source may have been asked before it was moved
		r.seek = seek
		r.deliver(11, 14, 15)
		r.said("11/0", "14/0", "15/0")
		r.wantCommitted(16)
	})
}

// The time of a park is its own: another one begins anew; one that takes the place of another goes on.
func TestEachParkHasItsTime(t *testing.T) {
	bubble(t, func(r *rig) {
		r.parks()
		r.deliver(0, 1, 2, 3)
		time.Sleep(50 * time.Second)
		r.unpark(0) // 0 is handled, 1 parks
		time.Sleep(50 * time.Second)
		r.reopened(-1)
		r.box.Park("maintenance", messages.ClassHandler)
		time.Sleep(10 * time.Second)
		r.seek = r.reopened(2)
		r.unpark(1) // and while nothing has come yet from 2, it parks again
		r.box.Park("maintenance", messages.ClassHandler)
		time.Sleep(time.Hour)
		r.reopened(-1)
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Head != 2 || r.box.Room() <= 0 {
			t.Errorf("%v at %d, room %d; want one for a head", s.State, s.Head, r.box.Room())
		}
		r.deliver(2, 3, 4) // the head, and what came with it
		r.seek = r.reopened(3)
		if s := r.box.Snapshot(); s.Depth != 1 || s.Shed != 2 || r.box.Room() >= 0 {
			t.Errorf("depth %d, shed %d, room %d", s.Depth, s.Shed, r.box.Room())
		}
		r.handle = nil
		r.unpark(2)
		r.deliver(3, 4)
		r.said("0/0", "0/1", "1/0", "1/1", "2/0", "3/0", "4/0")
		r.wantCommitted(5)
	})
}

// Parked with the tail away, the partition is given up, sought, acquired anew, or skipped.
func TestWhatEndsAParkEndsItsShedding(t *testing.T) {
	for name, end := range map[string]func(r *rig){
		"revoked": func(r *rig) { r.box.Revoke(&messages.Revoked{}) },
		"lost":    func(r *rig) { r.box.Lose(&messages.Lost{}) },
		"closed":  func(r *rig) { r.box.Close() },
		"skipped": func(r *rig) {
			if err := r.box.SkipHead(0); err != nil {
				r.t.Error(err)
			}
		},
	} {
		bubbleOf(t, name+" in time", func(r *rig) {
			r.parks()
			r.deliver(0, 1, 2)
			time.Sleep(30 * time.Second)
			end(r)
			time.Sleep(59 * time.Second)
			r.reopened(-1)
		})
		bubbleOf(t, name+" later", func(r *rig) {
			r.parks()
			r.deliver(0, 1, 2)
			time.Sleep(time.Hour)
			r.reopened(1)
			end(r)
			time.Sleep(time.Hour)
			r.reopened(-1)
			want := int64(0)
			if name == "skipped" {
				want = 1
			}
			r.wantCommitted(want)
		})
	}
	bubbleOf(t, "acquired anew", func(r *rig) {
		r.parks()
		r.deliver(0, 1, 2)
		time.Sleep(time.Hour)
		r.reopened(1)
		r.seek = r.box.Reseek(0, 8) // the park is somebody's to end
		r.deliver(0, 1, 2)
		r.reopened(1)
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Depth != 1 || s.Shed != 2 {
			r.t.Errorf("%+v", s)
		}
	})
	bubbleOf(t, "acquired anew, which ends a park for the fence", func(r *rig) {
		r.parks()
		r.verdict = func(a *asked) {
			a.fault.Class = messages.ClassFenced
			park(a)
		}
		r.deliver(0, 1, 2)
		time.Sleep(time.Hour)
		r.reopened(1)
		busy := make(chan struct{})
		r.handle = func(context.Context, *messages.Record) error { <-busy; return nil }
		r.seek = r.box.Reseek(1, 8)
		r.deliver(1, 2, 3)
		time.Sleep(time.Hour)
		r.reopened(-1)
		if room := r.box.Room(); room <= 0 {
			r.t.Errorf("room %d, and it is not parked any more", room)
		}
		close(busy)
		r.said("0/0", "1/0", "2/0", "3/0")
	})
}

// A park that another owner began, and a partition that is parked before it has a head.
func TestAParkWithoutAHeadShedsWhenItHasOne(t *testing.T) {
	bubble(t, func(r *rig) {
		r.parks()
		r.seek = r.box.Open(5, 9, Progress{Next: 5, Attempt: 3, Parked: true, Reason: "poison"})
		time.Sleep(time.Hour)
		if r.box.Room() <= 0 {
			t.Error("a head is not fetched")
		}
		r.deliver(5, 6, 7)
		r.seek = r.reopened(6)
		r.handle = nil
		r.unpark(5)
		r.deliver(6, 7)
		r.said("5/3", "6/0", "7/0")
	})
}

// The source has given up at 3. When 1 and 2 are shed, that is not where the partition would park any more.
func TestShedForgetsAFailureBehindTheTail(t *testing.T) {
	bubble(t, func(r *rig) {
		r.parks()
		r.deliver(0, 1, 2)
		r.box.Failed(r.seek, errors.New("corrupt"))
		time.Sleep(time.Hour)
		seek := r.reopened(1)
		r.box.Failed(r.seek, errors.New("corrupt, asked for before"))
		r.handle = nil
		r.unpark(0)
		if s := r.box.Snapshot(); s.State == messages.StateParked {
			t.Errorf("parked at %d because of %q", s.Head, s.Reason)
		}
		r.seek = seek
		r.deliver(1, 2)
		r.box.Failed(r.seek, errors.New("corrupt"))
		synctest.Wait()
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Head != 3 {
			t.Errorf("%v at %d, want parked at 3", s.State, s.Head)
		}
		r.said("0/0", "0/1", "1/0", "2/0")
	})
}

// Retention has overtaken what was shed: the source fails where it begins again, which is where the partition stands.
func TestShedAndGone(t *testing.T) {
	bubble(t, func(r *rig) {
		r.parks()
		r.deliver(0, 4, 5)
		time.Sleep(time.Hour)
		r.seek = r.reopened(4)
		r.unpark(0)
		r.box.Failed(r.seek, errors.New("out of range"))
		synctest.Wait()
		if told := r.told(); len(told) != 2 || told[1].Source == nil || told[1].Offset != 4 {
			t.Errorf("reports %+v, want one of the source, at 4", told)
		}
	})
}

// A parked partition's actor is at a message of its own, for hours: the tail goes nevertheless, and so does the fetch
// that the head came in, which nobody has copied.
func TestShedDoesNotWaitForTheActor(t *testing.T) {
	for name, stand := range map[string]func(r *rig){
		"parked": func(r *rig) { r.box.Park("maintenance", messages.ClassHandler) },
		"paused": func(r *rig) { r.box.Pause(ann()) },
	} {
		bubbleOf(t, name, func(r *rig) { shedsBesideItsActor(r, stand) })
	}
}

func shedsBesideItsActor(r *rig, stand func(r *rig)) {
	r.parking()
	r.receive = func(ctx actor.Context) {
		if wait, ok := ctx.Message().(func()); ok {
			wait()
		}
	}
	r.withActor()
	stand(r)
	busy := make(chan struct{})
	r.send(func() { <-busy })
	deliver := func() weak.Pointer[[100_000]byte] {
		value := new([100_000]byte)
		r.box.Deliver(r.seek, short{large{from(0, 1), value}}, Extent{})
		return weak.Make(value)
	}
	fetch := deliver()
	time.Sleep(time.Hour)
	r.reopened(1)
	runtime.GC()
	runtime.GC()
	if fetch.Value() != nil {
		r.t.Error("the fetch is alive")
	}
	close(busy)
}

// What a shed backlog gives back, its neighbours may fetch, and are told.
func TestShedWakesTheNeighbours(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Budget = NewBudget(1_000_000)
		r.set.Bytes = 1_000_000
		r.parks()
		small, woken := feed(r.set.Budget), false
		small.set.Wake = func() { r.locked(func() { woken = true }) }
		small.fetch(260_000) // above its equal part
		var tail samples
		for o := range int64(3000) {
			tail = append(tail, sample{o, ""})
		}
		r.box.Deliver(r.seek, tail, Extent{})
		synctest.Wait()
		if room := small.Room(); room != 0 {
			t.Fatalf("room for %d bytes, want none: the total is used up", room)
		}
		r.locked(func() { woken = false })
		time.Sleep(time.Minute)
		r.reopened(1)
		r.locked(func() {
			if !woken || small.Room() < leastRoom {
				t.Errorf("woken %v, room for %d bytes", woken, small.Room())
			}
		})
	})
}

func TestNothingIsShedUnlessAsked(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict, r.handle = park, failFirst
		r.set.Reopen = func(int64, uint64) { t.Error("the source was moved") }
		r.withHandler()
		r.deliver(0, 1, 2)
		time.Sleep(1000 * time.Hour)
		if s := r.box.Snapshot(); s.Depth != 3 {
			t.Errorf("depth %d", s.Depth)
		}
	})
	bubbleOf(t, "a hold", func(r *rig) {
		r.parks()
		r.verdict = retry(time.Hour)
		r.deliver(0, 1, 2)
		time.Sleep(59 * time.Minute)
		r.reopened(-1)
	})
}
