package actors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// An acknowledgement carries all that was finished meanwhile: one note on its way, one when the backlog is empty.
func TestCommitNotesCoalesce(t *testing.T) {
	bubble(t, func(r *rig) {
		r.hold = true
		release := make(chan struct{})
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Offset == 50 {
				<-release
			}
			return nil
		}
		r.withHandler()
		r.box.Deliver(r.seek, upTo(0, 99), Extent{})
		synctest.Wait()
		if len(r.notes) != 1 || r.notes[0].Next != 1 || r.notes[0].urgent {
			t.Fatalf("%d notes while the first one is on its way, the first %+v", len(r.notes), r.notes[0])
		}
		r.notes[0].done(nil)
		if len(r.notes) != 2 || r.notes[1].Next != 50 {
			t.Fatalf("after the answer: %d notes, the last %+v", len(r.notes), r.notes[len(r.notes)-1])
		}
		close(release)
		synctest.Wait()
		last := r.notes[len(r.notes)-1]
		if len(r.notes) != 3 || last.Next != 100 || !last.urgent {
			t.Fatalf("%d notes when the backlog is empty, the last %+v", len(r.notes), last)
		}
	})
}

// Whatever the rhythm of records and answers: when all is finished, the last note is the final position.
func TestTheLastNoteIsTheFinalPosition(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(r *rig) {
				rnd := throw(seed)
				r.hold = true
				r.set.Each = seed%2 == 1
				r.handle = func(_ context.Context, rec *messages.Record) error {
					switch rnd.IntN(6) {
					case 0:
						return errors.New("no")
					case 1:
						panic("no")
					case 2:
						time.Sleep(time.Duration(rnd.IntN(5)) * time.Millisecond)
					}
					return nil
				}
				r.withHandler()
				at := int64(0)
				answered := 0
				answer := func() {
					r.mu.Lock()
					var open []*note
					for ; answered < len(r.notes) && rnd.IntN(3) > 0; answered++ {
						open = append(open, r.notes[answered])
					}
					r.mu.Unlock()
					for _, n := range open {
						n.done(nil)
					}
				}
				for range 200 {
					if at < 300 && rnd.IntN(2) == 0 {
						n := int64(rnd.IntN(20) + 1)
						r.box.Deliver(r.seek, upTo(at, at+n-1), Extent{})
						at += n
					}
					answer()
					time.Sleep(time.Millisecond)
				}
				for r.box.Progress().Next < at {
					answer()
					time.Sleep(time.Millisecond)
				}
				r.wantCommitted(at)
				if r.committed().Attempt != 0 {
					t.Errorf("the last note: %+v", r.committed())
				}
			})
		})
	}
}

func TestCommitEachWaitsForTheAcknowledgement(t *testing.T) {
	bubble(t, func(r *rig) {
		r.hold, r.set.Each = true, true
		r.withHandler()
		r.deliver(0, 1)
		r.said("0/0")
		if s := r.box.Snapshot(); s.State != messages.StateBusy {
			t.Errorf("state %v while a commit is awaited", s.State)
		}
		time.Sleep(time.Hour)
		r.said()
		r.notes[0].done(nil)
		r.said("1/0")
	})
}

// The note of a failed attempt and the note of the success are two commits. The answer to the first one says
// nothing about the second.
func TestCommitEachIsNotOpenedByAnOlderAnswer(t *testing.T) {
	bubble(t, func(r *rig) {
		r.hold, r.set.Each = true, true
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Offset == 0 && rec.Attempt == 0 {
				return errors.New("no")
			}
			return nil
		}
		r.withHandler()
		r.deliver(0, 1)
		r.said("0/0", "0/1")
		if len(r.notes) != 2 || !r.notes[0].Progress.Equal(Progress{Next: 0, Attempt: 1}) || r.notes[1].Next != 1 {
			t.Fatalf("%d notes", len(r.notes))
		}
		r.notes[0].done(nil)
		r.said() // offset 1 is not acknowledged
		r.notes[1].done(nil)
		r.said("1/0")
	})
}

// A claim that is closed answers every note with an error: the gate opens, there is nothing more to wait for.
func TestCommitEachIsOpenedByAClosedClaim(t *testing.T) {
	bubble(t, func(r *rig) {
		r.hold, r.set.Each = true, true
		r.withHandler()
		r.deliver(0, 1)
		r.notes[0].done(errors.New("closed"))
		r.said("0/0", "1/0")
	})
}

func TestNothingIsCommittedWithoutACommitter(t *testing.T) {
	for _, each := range []bool{false, true} {
		bubbleOf(t, fmt.Sprintf("each %v", each), func(r *rig) {
			r.set.Each = each
			r.withHandler()
			r.box.mu.Lock()
			r.box.set.Commit = nil // an offset store keeps the offsets, and nothing is told to Kafka
			r.box.mu.Unlock()
			r.deliver(0, 1)
			r.said("0/0", "1/0")
			r.wantFirst(2)
		})
	}
}

func bubbleOf(t *testing.T, name string, test func(r *rig)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { bubble(t, test) })
}

// What the next owner learns of a head: how often it was tried, and that it waits for somebody.
func TestAttemptsAndParkAreCommitted(t *testing.T) {
	bubble(t, func(r *rig) {
		r.handle = func(context.Context, *messages.Record) error { return errors.New("no") }
		r.verdict = func(a *asked) {
			if a.fault.Record.Attempt < 2 {
				retry(time.Second)(a)
			} else {
				park(a)
			}
		}
		r.withHandler()
		r.deliver(0)
		if p := r.committed(); !p.Equal(Progress{Next: 0, Attempt: 1}) {
			t.Errorf("after the first failure: %+v", p)
		}
		time.Sleep(time.Minute)
		if p := r.committed(); !p.Equal(Progress{Next: 0, Attempt: 3, Parked: true, Reason: "why"}) {
			t.Errorf("parked: %+v", p)
		}
		if err := r.box.SkipHead(0); err != nil {
			t.Error(err)
		}
		for _, n := range r.notes {
			if n.Next == 1 && n.Parked {
				t.Error("for a moment, the innocent next record was committed as parked")
			}
		}
		if p := r.committed(); !p.Equal(Progress{Next: 1}) {
			t.Errorf("skipped: %+v", p)
		}
	})
}

func TestSeekTo(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Seek = func(int64, uint64) {}
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Offset == 1 {
				return fmt.Errorf("the store is ahead: %w", messages.SeekTo(40))
			}
			return nil
		}
		r.withHandler()
		old := r.seek
		r.deliver(0, 1, 2)
		r.said("0/0", "1/0")
		r.wantFaults()
		if len(r.seeks) != 1 || r.seeks[0].offset != 40 || r.seek == old {
			t.Fatalf("the source was told %+v", r.seeks)
		}
		if p := r.committed(); p.Next != 40 {
			t.Errorf("committed %+v", p)
		}
		if len(r.reports) != 1 || !r.reports[0].Sought || r.reports[0].Offset != 1 || r.reports[0].SoughtTo != 40 {
			t.Errorf("reports: %+v", r.reports)
		}
		r.box.Deliver(old, from(3, 40), Extent{})
		r.deliver(41)
		r.said("41/0")
		if c := r.box.Snapshot().Counters; c.Handled != 2 || c.Failed != 0 {
			t.Errorf("%+v", c)
		}
	})
}

func TestSeekToWithoutAStoreIsAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		store bool
		to    int64
	}{"no store": {false, 40}, "negative offset": {true, -1}} {
		bubbleOf(t, name, func(r *rig) {
			r.verdict = park
			if c.store {
				r.set.Seek = func(int64, uint64) {}
			}
			r.handle = func(context.Context, *messages.Record) error { return messages.SeekTo(c.to) }
			r.withHandler()
			r.deliver(0)
			if text := r.last().fault.Err.Error(); !c.store && !strings.Contains(text, "Offsets.Store") {
				r.t.Errorf("the error does not say what to set: %s", text)
			}
			r.wantFaults("Seek 0/0")
			r.wantFirst(0)
		})
	}
}

// The source has given up behind the records that are there. A seek begins anew: the old failure means nothing.
func TestSeekToForgetsAnOlderSourceFailure(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Seek = func(int64, uint64) {}
		release := make(chan struct{})
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Offset == 0 {
				<-release
				return messages.SeekTo(40)
			}
			return nil
		}
		r.withHandler()
		r.deliver(0)
		r.box.Failed(r.seek, errors.New("corrupt"))
		close(release)
		synctest.Wait()
		if s := r.box.Snapshot(); s.State == messages.StateParked {
			t.Errorf("parked: %s", s.Reason)
		}
		r.deliver(40)
		r.said("0/0", "40/0")
	})
}

// Somebody parks the partition while a record is in flight, and the record's outcome is a seek: still parked.
func TestSeekToKeepsAPark(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Seek = func(int64, uint64) {}
		release := make(chan struct{})
		r.handle = func(_ context.Context, rec *messages.Record) error {
			<-release
			return messages.SeekTo(40)
		}
		r.withHandler()
		r.deliver(0)
		r.box.Park("maintenance", messages.ClassHandler)
		close(release)
		r.said("0/0")
		r.deliver(40)
		r.said()
		if s := r.box.Snapshot(); s.State != messages.StateParked {
			t.Errorf("state %v", s.State)
		}
		if err := r.box.RetryHead(40); err != nil {
			t.Error(err)
		}
		r.said("40/0")
	})
}

// A claim that is given up moves nothing any more.
func TestSeekToWhileStopping(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Seek = func(int64, uint64) {}
		release := make(chan struct{})
		r.handle = func(context.Context, *messages.Record) error { <-release; return messages.SeekTo(40) }
		r.withHandler()
		r.deliver(0)
		r.box.Revoke(&messages.Revoked{})
		close(release)
		r.said("0/0", "terminated")
		if len(r.seeks) != 0 || len(r.reports) != 0 {
			t.Errorf("the source was told %+v, the supervisor %+v", r.seeks, r.reports)
		}
		r.wantFirst(0)
	})
}

// A handler that was told to give up, and does, has not failed.
func TestAnErrorAfterTheContextEndedIsNoFailure(t *testing.T) {
	for name, cause := range map[string]error{"revoked": messages.ErrRevoked, "stopped": messages.ErrStopped} {
		bubbleOf(t, name, func(r *rig) {
			r.handle = func(ctx context.Context, _ *messages.Record) error {
				<-ctx.Done()
				if !errors.Is(context.Cause(ctx), cause) {
					r.t.Errorf("cause %v", context.Cause(ctx))
				}
				return ctx.Err()
			}
			r.withHandler()
			r.deliver(0, 1)
			r.box.Cancel(cause)
			r.said("0/0") // and not delivered again and again, under a context that has ended
			r.box.Revoke(&messages.Revoked{})
			r.said("terminated")
			r.wantFaults()
			r.wantFirst(0)
			if p := r.box.Progress(); p.Attempt != 0 {
				r.t.Errorf("an attempt that does not count was counted: %+v", p)
			}
		})
	}
}

// Unanswered is a defect of the program, and loud whatever happens to the claim.
func TestUnansweredIsAFailureEvenWhenRevoked(t *testing.T) {
	bubble(t, func(r *rig) {
		release := make(chan struct{})
		r.verdict = skip
		r.receive = receiving(func(*messages.Record) { <-release })
		r.withActor()
		r.deliver(0)
		r.box.Revoke(&messages.Revoked{})
		r.box.Cancel(messages.ErrRevoked)
		close(release)
		r.wantFaults("Unanswered 0/0")
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 revoked", "1 stopping", "1 stopped", "terminated")
	})
}
