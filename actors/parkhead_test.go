package actors

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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
		if got := r.committed(); got != want {
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
		if got := r.committed(); got != (Progress{Next: 5}) {
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
			if got := r.committed(); got != (Progress{Next: 0, Parked: true, Reason: "it hangs"}) {
				r.t.Errorf("committed %+v: who comes after a crash would try it", got)
			}
			close(release)
			if outcome == nil {
				r.said("0/0", "1/0")
				if got := r.committed(); got != (Progress{Next: 2}) {
					r.t.Errorf("committed %+v", got)
				}
				if told := r.told(); len(told) != 1 || !told[0].Unparked || told[0].Offset != 0 {
					r.t.Errorf("reports %+v", told)
				}
				return
			}
			r.said("0/0")
			time.Sleep(time.Hour)
			if got := r.committed(); got != (Progress{Next: 0, Attempt: 1, Parked: true, Reason: "it hangs"}) {
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
		if got := r.committed(); got != (Progress{Next: 2}) {
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
