package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// shelf is a source of a test with a log that has holes: what it has asked for is on its way for a while, and a seek may
// reach it late. Like the real one it delivers under its lock, and drops what an older seek asked for.
type shelf struct {
	log []int64
	box *Mailbox

	mu   sync.Mutex
	next int64
	seek uint64
	turn int
}

func (s *shelf) moveTo(offset int64, seek uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seek >= s.seek {
		s.next, s.seek = offset, seek
		s.turn++
	}
}

// fetch asks, waits for the answer, and delivers it, if it is still wanted.
func (s *shelf) fetch(d *dice) {
	s.mu.Lock()
	turn, from, room := s.turn, s.next, s.box.Room()
	s.mu.Unlock()
	if room <= 0 {
		return
	}
	time.Sleep(time.Duration(d.IntN(4)) * time.Millisecond)
	i, _ := slices.BinarySearch(s.log, from)
	got := s.log[max(0, i-d.IntN(3)):min(len(s.log), i+d.IntN(30))] // a wire batch may begin before
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn != turn || len(got) == 0 || got[len(got)-1] < from {
		return
	}
	s.next = got[len(got)-1] + 1
	s.box.Deliver(s.seek, samplesOf(got), Extent{Next: s.next, HighWater: s.log[len(s.log)-1] + 1})
}

func samplesOf(offsets []int64) samples { return from(offsets...) }

// A partition is parked and un-parked, paused and resumed at random, for shorter and longer than its backlog is kept, by its
// policy and by operators, while fetches are under way and seeks are late. Nothing is lost, nothing comes twice, order is kept, and
// nothing is committed that is not finished.
func TestParksThatShedLoseNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { t.Parallel(); shedding(t, seed) })
	}
}

func shedding(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		d := throw(seed)
		r := newRig(t)
		r.set.Records, r.set.Each = 60, seed%4 == 0
		source := &shelf{}
		for at := int64(0); len(source.log) < 1000; at += 1 + int64(d.IntN(3)*d.IntN(2)) {
			source.log = append(source.log, at)
		}
		var sheds, parks, done int // the index of the record that is due
		r.set.ShedAfter = 5 * time.Millisecond
		r.set.Reopen = func(offset int64, seek uint64) { // in the timer's goroutine: it may be late
			time.Sleep(time.Duration(d.IntN(3)*d.IntN(6)) * time.Millisecond)
			source.moveTo(offset, seek)
		}
		r.verdict = func(a *asked) {
			if d.IntN(2) == 0 {
				retry(time.Millisecond)(a)
				return
			}
			r.locked(func() { parks++ })
			park(a)
		}
		r.handle = func(_ context.Context, rec *messages.Record) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if want := source.log[done]; rec.Offset != want {
				t.Errorf("offset %d, want %d", rec.Offset, want)
			}
			if d.IntN(8) == 0 {
				return errors.New("no")
			}
			done++
			return nil
		}
		r.withHandler()
		source.box, source.seek = r.box, r.seek
		var wg sync.WaitGroup
		over := make(chan struct{})
		background := func(do func()) {
			wg.Go(func() {
				for {
					select {
					case <-over:
						return
					case <-time.After(time.Millisecond):
						do()
					}
				}
			})
		}
		background(func() { source.fetch(d) })
		background(func() { // the operator
			time.Sleep(time.Duration(d.IntN(12)) * time.Millisecond)
			if s := r.box.Snapshot(); s.State == messages.StateParked {
				_ = r.box.RetryHead(s.Head)
			}
		})
		background(func() {
			time.Sleep(time.Duration(d.IntN(50)) * time.Millisecond)
			if d.IntN(2) == 0 {
				_ = r.box.ParkHead(r.box.Snapshot().Head, "look")
				return
			}
			r.box.Park("maintenance", messages.ClassHandler)
		})
		background(func() { // another operator
			time.Sleep(time.Duration(d.IntN(40)) * time.Millisecond)
			r.box.Pause(ann())
			time.Sleep(time.Duration(d.IntN(12)) * time.Millisecond)
			r.box.Resume()
		})
		background(func() {
			p := r.box.Progress().Next
			r.mu.Lock()
			defer r.mu.Unlock()
			if done < len(source.log) && p > source.log[done] {
				t.Errorf("it stands at %d, and %d is not finished", p, source.log[done])
			}
		})
		began := time.Now()
		for finished := 0; finished < len(source.log) && time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) {
			r.locked(func() { finished = done })
		}
		close(over)
		wg.Wait()
		r.box.Revoke(&messages.Revoked{})
		r.wantCommitted(source.log[len(source.log)-1] + 1)
		r.locked(func() {
			for _, report := range r.reports {
				if report.Shed != nil {
					sheds++
				}
			}
			if done != len(source.log) || sheds < 10 {
				t.Errorf("%d of %d finished, %d parks by the policy, %d sheds", done, len(source.log), parks, sheds)
			}
			t.Logf("%d parks by the policy, %d sheds", parks, sheds)
		})
		r.end()
	})
}
