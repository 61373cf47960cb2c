package actors

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ottla-go/ottla/messages"
)

func TestSnapshot(t *testing.T) {
	bubble(t, func(r *rig) {
		r.verdict = retry(time.Hour)
		release := make(chan struct{})
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Offset == 1 && rec.Attempt == 0 {
				<-release
				return errors.New("no")
			}
			return nil
		}
		r.withHandler()
		want := func(what string, ok bool) {
			t.Helper()
			if !ok {
				t.Errorf("%s: %+v", what, r.box.Snapshot())
			}
		}
		s := r.box.Snapshot()
		want("nothing was fetched yet", s.State == messages.StateAwaitingSeek && s.Head == 0 && s.Lag == -1)
		r.box.Deliver(r.seek, nil, Extent{HighWater: 0})
		s = r.box.Snapshot()
		want("the fetch brought nothing", s.State == messages.StateIdle && s.Lag == 0)
		r.deliver(0, 1, 2)
		s = r.box.Snapshot()
		want("handling", s.State == messages.StateBusy && s.Head == 1 && s.Depth == 2 && s.Lag == 999 && s.OpenSince.Equal(time.Now()))
		since := s.OpenSince
		time.Sleep(time.Minute)
		s = r.box.Snapshot()
		want("still handling", s.OpenSince.Equal(since))
		close(release)
		r.said("0/0", "1/0")
		s = r.box.Snapshot()
		want("holding", s.State == messages.StateHolding && s.Attempt == 1 && s.Error == "no" && s.OpenSince.IsZero() &&
			s.Failure != nil && s.Failure.Offset == 1 && s.Decision != nil && s.Decision.Delay == time.Hour && s.Counters.Retried == 1)
		time.Sleep(2 * time.Hour)
		s = r.box.Snapshot()
		want("idle", s.State == messages.StateIdle && s.Head == 3 && s.Depth == 0 && s.Bytes == 0 && s.Lag == 997 && s.Counters.Handled == 3)
		r.box.Revoke(&messages.Revoked{})
		s = r.box.Snapshot()
		want("stopping", s.State == messages.StateStopping)
	})
}

// A probe asks while a handler is stuck.
func TestSnapshotDoesNotWaitForAHandler(t *testing.T) {
	bubble(t, func(r *rig) {
		release := make(chan struct{})
		r.handle = func(context.Context, *messages.Record) error { <-release; return nil }
		r.withHandler()
		r.deliver(0)
		if s := r.box.Snapshot(); s.State != messages.StateBusy {
			t.Errorf("%+v", s)
		}
		close(release)
	})
}
