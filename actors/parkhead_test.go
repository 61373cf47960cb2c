package actors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// The park of a record that was never tried is committed with it, and what takes it over says so again.
func TestParkHead(t *testing.T) {
	bubble(t, func(r *rig) {
		r.withHandler()
		if err := r.box.ParkHead(1, "why"); err == nil {
			t.Error("another head was parked")
		}
		if err := r.box.ParkHead(0, "why (by ann)"); err != nil {
			t.Fatal(err)
		}
		want := Progress{Next: 0, Parked: true, Reason: "why (by ann)"}
		if got := r.committed(); !got.Equal(want) {
			t.Errorf("committed %+v", got)
		}
		r.deliver(3, 4) // 0 to 2 are a transaction's markers, or compacted away
		if err := r.box.ParkHead(3, "again"); err == nil {
			t.Error("it was parked twice")
		}
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Reason != want.Reason || s.Head != 3 {
			t.Errorf("%+v", s)
		}
		r.said()
		r.seek = r.box.Open(3, 8, Progress{Next: 3, Parked: true, Reason: want.Reason}) // as the next owner does
		r.deliver(3, 4)
		r.said()
		if got := r.box.Progress(); !got.Parked || got.Reason != want.Reason {
			t.Errorf("the next one but one is told %+v", got)
		}
		r.unpark(3)
		r.said("3/0", "4/0")
		if got := r.committed(); !got.Equal(Progress{Next: 5}) {
			t.Errorf("committed %+v", got)
		}
	})
}

// A record that is parked while it is in flight: what comes of that counts.
func TestParkHeadInFlight(t *testing.T) {
	for name, outcome := range map[string]error{"succeeds": nil, "fails": errors.New("no")} {
		bubbleOf(t, name, func(r *rig) {
			release := make(chan struct{})
			r.handle = func(_ context.Context, rec *messages.Record) error {
				if rec.Offset == 0 && rec.Attempt == 0 {
					<-release
					return outcome
				}
				return nil
			}
			r.verdict = retry(time.Second)
			r.withHandler()
			r.deliver(0, 1)
			if err := r.box.ParkHead(0, "it hangs"); err != nil {
				r.t.Fatal(err)
			}
			if got := r.committed(); !got.Equal(Progress{Next: 0, Parked: true, Reason: "it hangs"}) {
				r.t.Errorf("committed %+v: who comes after a crash would try it", got)
			}
			close(release)
			if outcome == nil {
				r.said("0/0", "1/0")
				if got := r.committed(); !got.Equal(Progress{Next: 2}) {
					r.t.Errorf("committed %+v", got)
				}
				if told := r.told(); len(told) != 1 || !told[0].Unparked || told[0].Offset != 0 {
					r.t.Errorf("reports %+v", told)
				}
				return
			}
			r.said("0/0")
			time.Sleep(time.Hour)
			if got := r.committed(); !got.Equal(Progress{Next: 0, Attempt: 1, Parked: true, Reason: "it hangs"}) {
				r.t.Errorf("committed %+v", got)
			}
			r.said()
			r.unpark(0)
			r.said("0/1", "1/0")
		})
	}
	bubbleOf(t, "is given up", func(r *rig) {
		release := make(chan struct{})
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Offset == 0 {
				<-release
				return errors.New("no")
			}
			return nil
		}
		r.verdict = skip
		r.withHandler()
		r.deliver(0, 1)
		if err := r.box.ParkHead(0, "it hangs"); err != nil {
			r.t.Fatal(err)
		}
		close(release)
		r.said("0/0", "1/0")
		if got := r.committed(); !got.Equal(Progress{Next: 2}) {
			r.t.Errorf("committed %+v", got)
		}
	})
}

func TestParkHeadIsRefused(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Handler = func(context.Context, *messages.Record) error { return nil }
		r.spawn()
		refused := func(what string, offset int64, text string) {
			t.Helper()
			if err := r.box.ParkHead(offset, "why"); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", what, err)
			}
		}
		refused("before the start is known", 0, "the head is -1")
		r.open()
		refused("another head", 5, "the head is 0")
		r.box.Revoke(&messages.Revoked{})
		refused("while it is given up", 0, "given up")
	})
}

// The position moves while a record that was parked by name is in flight: the record that comes first then is another one,
// and is not parked, here or at the next owner. A move to the same record is none.
func TestParkHeadAndSeeks(t *testing.T) {
	for name, c := range map[string]struct {
		sought int64
		parked bool
	}{"ahead": {50, false}, "back": {5, false}, "nowhere": {10, true}, "to a marker before it": {8, true}} {
		bubbleOf(t, name, func(r *rig) {
			release := make(chan struct{})
			r.set.Seek = func(int64, uint64) {}
			r.handle = func(_ context.Context, rec *messages.Record) error {
				if rec.Offset == 10 {
					<-release
					return messages.SeekTo(c.sought)
				}
				return nil
			}
			r.withHandler()
			r.deliver(7, 10, 11) // 8 and 9 are markers
			if err := r.box.ParkHead(10, "it hangs"); err != nil {
				r.t.Fatal(err)
			}
			close(release)
			r.said("7/0", "10/0")
			want := Progress{Next: c.sought}
			if c.parked {
				want = Progress{Next: c.sought, Parked: true, Reason: "it hangs"}
			}
			if got := r.committed(); !got.Equal(want) {
				r.t.Errorf("committed %+v, want %+v", got, want)
			}
			told := r.told()
			if c.parked {
				if len(told) != 1 || !told[0].Sought {
					r.t.Errorf("reports %+v", told)
				}
				r.deliver(10, 11)
				r.said()
				return
			}
			if len(told) != 2 || !told[0].Sought && !told[1].Sought || told[0].Unparked == told[1].Unparked {
				r.t.Errorf("reports %+v", told)
			}
			r.deliver(c.sought)
			r.said(fmt.Sprintf("%d/0", c.sought))
		})
	}
	bubbleOf(t, "the store says so", func(r *rig) {
		r.withHandler()
		if err := r.box.ParkHead(0, "why"); err != nil {
			r.t.Fatal(err)
		}
		r.seek = r.box.Reseek(3, 8)
		if told := r.told(); len(told) != 1 || !told[0].Unparked || told[0].Offset != 0 {
			r.t.Errorf("reports %+v", told)
		}
		r.deliver(3)
		r.said("3/0")
	})
}

// The success of a record that was parked by name while it was in flight is told, whoever notes it.
func TestParkHeadEndsAreTold(t *testing.T) {
	for _, name := range []string{"completed", "completed, and its actor restarts", "completed, and its actor is abandoned"} {
		bubbleOf(t, name, func(r *rig) {
			release, hang := make(chan struct{}), make(chan struct{})
			r.verdict = restart(0)
			r.receive = func(ctx actor.Context) {
				rec, ok := ctx.Message().(*messages.Record)
				if !ok {
					return
				}
				<-release
				rec.Complete(nil)
				switch name {
				case "completed, and its actor restarts":
					panic("boom")
				case "completed, and its actor is abandoned":
					<-hang
				}
			}
			r.withActor()
			r.deliver(0)
			if err := r.box.ParkHead(0, "it hangs"); err != nil {
				r.t.Fatal(err)
			}
			close(release)
			synctest.Wait()
			if name == "completed, and its actor is abandoned" {
				r.box.Abandon(messages.ErrRevoked) // before Receive has returned
			}
			if told := r.told(); len(told) != 1 || !told[0].Unparked || told[0].Offset != 0 {
				r.t.Errorf("reports %+v", told)
			}
			close(hang)
		})
	}
}

// Whatever is decided about a record that was parked by name while it was in flight, but for giving it up, and whatever else
// parks the partition: it is not delivered again, by the next owner neither.
func TestParkHeadOutlastsOtherParks(t *testing.T) {
	failure := messages.Failure{Offset: -1, Class: messages.ClassActorStopped}
	for name, c := range map[string]struct {
		verdict func(*asked)
		later   func(r *rig)
		reason  string
	}{
		"escalate": {verdict: func(a *asked) { a.judge(messages.Decision{Action: messages.ActionEscalate}); a.resume() }, reason: "by ann"},
		"park":     {verdict: park, reason: "why"},
		"retry":    {verdict: retry(0), reason: "by ann"},
		"vacate":   {verdict: retry(0), later: func(r *rig) { r.box.Vacate("stopped") }, reason: "stopped"},
		"noted": {verdict: retry(0), later: func(r *rig) {
			r.box.Note(failure, messages.Decision{Action: messages.ActionPark, Reason: "stopped"})
		}, reason: "stopped"},
		"a message is parked for": {verdict: retry(0), later: func(r *rig) {
			r.verdict = func(a *asked) {
				a.judge(messages.Decision{Action: messages.ActionPark, Reason: "panicked"})
				a.resume()
			}
			r.send("panic")
		}, reason: "panicked"},
		"a message escalates": {verdict: retry(0), later: func(r *rig) {
			r.verdict = func(a *asked) { a.judge(messages.Decision{Action: messages.ActionEscalate}); a.resume() }
			r.send("panic")
		}, reason: "by ann"},
	} {
		bubbleOf(t, name, func(r *rig) {
			release := make(chan struct{})
			r.verdict = c.verdict
			r.receive = func(ctx actor.Context) {
				switch msg := ctx.Message().(type) {
				case *messages.Record:
					<-release
					msg.Complete(errors.New("no"))
				case string:
					panic(msg)
				}
			}
			r.withActor()
			r.deliver(10)
			if err := r.box.ParkHead(10, "by ann"); err != nil {
				r.t.Fatal(err)
			}
			close(release)
			synctest.Wait()
			if c.later != nil {
				c.later(r)
				synctest.Wait()
			}
			time.Sleep(time.Hour)
			if got, want := r.box.Progress(), (Progress{Next: 10, Attempt: 1, Parked: true, Reason: c.reason}); !got.Equal(want) {
				r.t.Errorf("the next owner is told %+v, want %+v", got, want)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if n := strings.Count(strings.Join(r.log, " "), ": 10/"); n != 1 {
				r.t.Errorf("it was delivered %d times", n)
			}
		})
	}
}

// Who is noted to escalate parks for the time until the consumer ends, and the next owner is not told of it.
func TestNotedEscalation(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = retry(time.Hour)
		r.handle = func(context.Context, *messages.Record) error { return errors.New("no") }
		r.withHandler()
		r.deliver(10)
		r.box.Note(messages.Failure{Offset: -1, Class: messages.ClassHandler}, messages.Decision{Action: messages.ActionEscalate})
		if s := r.box.Snapshot(); s.State != messages.StateParked || s.Reason != "escalated" {
			t.Errorf("%v %q", s.State, s.Reason)
		}
		if got := r.box.Progress(); !got.Equal(Progress{Next: 10, Attempt: 1}) {
			t.Errorf("the next owner is told %+v", got)
		}
	})
}
