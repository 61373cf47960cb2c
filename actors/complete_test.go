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

// receiving is a Receive that cares about records only.
func receiving(do func(*messages.Record)) func(actor.Context) {
	return func(ctx actor.Context) {
		if rec, ok := ctx.Message().(*messages.Record); ok {
			do(rec)
		}
	}
}

// keeper keeps each record and remembers it.
type keeper struct{ kept []*messages.Record }

func (k *keeper) handle(_ context.Context, rec *messages.Record) error {
	k.kept = append(k.kept, rec)
	rec.Keep()
	return nil
}

func TestAKeptRecordIsCompletedFromAnywhere(t *testing.T) {
	bubble(t, func(r *rig) {
		var k keeper
		r.handle = k.handle
		r.withHandler()
		r.deliver(0, 1)
		time.Sleep(time.Hour)
		r.said("0/0") // the next one waits
		if s := r.box.Snapshot(); s.State != messages.StateBusy || s.Attempt != 0 || s.Head != 0 {
			t.Errorf("%+v", s)
		}
		first := k.kept[0] // the next one is kept as soon as this one is completed
		answers := make(chan bool)
		for range 3 {
			go func() { answers <- first.Complete(nil) }()
		}
		counted := 0
		for range 3 {
			if <-answers {
				counted++
			}
		}
		if counted != 1 {
			t.Errorf("%d of three completions counted", counted)
		}
		r.said("1/0")
		r.wantCommitted(1)
		if err := first.Stale(); !errors.Is(err, messages.ErrAnswered) {
			t.Errorf("stale: %v", err)
		}
	})
}

// Keep, and then an error: the error counts. Keep and nil: it stays open.
func TestKeepThenErrorFails(t *testing.T) {
	bubble(t, func(r *rig) {
		r.handle = func(_ context.Context, rec *messages.Record) error {
			rec.Keep()
			if rec.Attempt == 0 {
				return errors.New("no")
			}
			return nil
		}
		r.withHandler()
		r.deliver(0)
		r.wantFaults("Handler 0/0")
		r.said("0/0", "0/1")
		r.wantFirst(0)
	})
}

// A completion within the handler does not let the next record in before the handler has returned.
func TestCompletionWithinTheHandlerWaitsForItsReturn(t *testing.T) {
	bubble(t, func(r *rig) {
		release := make(chan struct{})
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if !rec.Complete(nil) {
				t.Error("the completion did not count")
			}
			if rec.Offset == 0 {
				<-release
			}
			return errors.New("the first answer counts")
		}
		r.withHandler()
		r.deliver(0, 1)
		r.said("0/0")
		close(release)
		r.said("1/0")
		r.wantFaults()
		r.wantCommitted(2)
	})
}

// A reply comes after the actor was restarted: the record is somebody else's by now.
func TestALateCompletionAfterARestartDoesNotCount(t *testing.T) {
	bubble(t, func(r *rig) {
		var k keeper
		r.handle = k.handle
		r.withHandler()
		r.deliver(0)
		ctx := k.kept[0].Context()
		if ctx.Err() != nil {
			t.Error("its context has ended already")
		}
		r.system(&actor.Restart{})
		r.said("0/0", "0/1")
		if k.kept[0].Complete(nil) {
			t.Error("a completion of the older attempt counted")
		}
		if err := k.kept[0].Stale(); !errors.Is(err, messages.ErrAnswered) {
			t.Errorf("stale: %v", err)
		}
		if !errors.Is(context.Cause(ctx), messages.ErrAnswered) {
			t.Errorf("its context ended with %v", context.Cause(ctx))
		}
		if k.kept[0] == k.kept[1] {
			t.Error("the redelivery is the same pointer")
		}
		r.wantFirst(0)
		if p := r.committed(); !p.Equal(Progress{Next: 0, Attempt: 1}) {
			t.Errorf("the next owner learns %+v", p)
		}
		if !k.kept[1].Complete(nil) || k.kept[1].Stale() == nil {
			t.Error("the newer attempt's completion did not count")
		}
		r.wantCommitted(1)
	})
}

func TestStaleTellsWhy(t *testing.T) {
	end := map[string]struct {
		do   func(*rig)
		want error
	}{
		"revoked too late": {func(r *rig) { r.box.Revoke(&messages.Revoked{}); r.box.Abandon(messages.ErrRevoked) }, messages.ErrRevoked},
		"lost":             {func(r *rig) { r.box.Lose(&messages.Lost{}) }, messages.ErrLost},
		"lost, abandoned":  {func(r *rig) { r.box.Lose(&messages.Lost{}); r.box.Abandon(messages.ErrLost) }, messages.ErrLost},
		"stopped":          {func(r *rig) { r.box.Abandon(messages.ErrStopped) }, messages.ErrStopped},
	}
	for name, c := range end {
		bubbleOf(t, name, func(r *rig) {
			var k keeper
			r.handle = k.handle
			r.withHandler()
			r.deliver(0)
			c.do(r)
			synctest.Wait()
			if err := k.kept[0].Stale(); !errors.Is(err, c.want) {
				r.t.Errorf("stale: %v, want %v", err, c.want)
			}
			if k.kept[0].Complete(nil) {
				r.t.Error("a completion counted")
			}
			if !errors.Is(context.Cause(k.kept[0].Context()), c.want) {
				r.t.Errorf("the context ended with %v", context.Cause(k.kept[0].Context()))
			}
			r.wantFirst(0)
		})
	}
}

// A revoked claim is still ours until its deadline: what is kept open can be completed, and its offset counts.
func TestAKeptRecordCanBeCompletedWhileRevoked(t *testing.T) {
	bubble(t, func(r *rig) {
		var kept *messages.Record
		r.receive = receiving(func(rec *messages.Record) { kept = rec; rec.Keep() })
		r.withActor()
		r.deliver(0, 1)
		r.box.Revoke(&messages.Revoked{})
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 revoked") // told at once, to finish what it kept
		time.Sleep(time.Minute)
		r.said()
		if kept.Stale() != nil || !kept.Complete(nil) {
			t.Error("the completion did not count")
		}
		r.said("1 stopping", "1 stopped", "terminated")
		r.wantCommitted(1)
	})
}

// ... and if it fails, the policy decides about it as about any other record, before the actor ends.
func TestAKeptRecordCanFailWhileRevoked(t *testing.T) {
	bubble(t, func(r *rig) {
		var kept *messages.Record
		r.verdict = wait
		r.receive = receiving(func(rec *messages.Record) { kept = rec; rec.Keep() })
		r.withActor()
		r.deliver(0, 1)
		r.box.Revoke(&messages.Revoked{})
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 revoked")
		kept.Complete(errors.New("no"))
		r.said()
		skip(r.last())
		r.said("1 stopping", "1 stopped", "terminated")
		r.wantCommitted(1)
	})
}

// An actor may keep a record and end. Once its claim has been closed, and somebody else owns the partition, the record
// cannot be completed any more.
func TestAKeptRecordCannotBeCompletedAfterTheClaimWasClosed(t *testing.T) {
	bubble(t, func(r *rig) {
		var kept *messages.Record
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *messages.Record:
				kept = msg
				msg.Keep()
			case *messages.Revoked:
				ctx.Stop(ctx.Self())
			}
		}
		r.withActor()
		r.deliver(0)
		r.box.Revoke(&messages.Revoked{})
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 revoked", "1 stopping", "1 stopped", "terminated")
		if err := kept.Stale(); err != nil {
			t.Errorf("stale before the claim was closed: %v", err)
		}
		r.box.Close()
		if err := kept.Stale(); !errors.Is(err, messages.ErrStopped) {
			t.Errorf("stale: %v", err)
		}
		if kept.Complete(nil) {
			t.Error("a completion counted")
		}
		r.wantCommitted(-1)
	})
}

// The record was completed, and whoever did it was told that it counts. Then the handler does not return. Where the
// claim is lost, or closed, nothing can be committed any more.
func TestACompletionCountsAlthoughTheHandlerIsAbandoned(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(*rig)
		next int64
	}{
		"abandoned":       {func(r *rig) { r.box.Abandon(messages.ErrRevoked) }, 1},
		"lost":            {func(r *rig) { r.box.Lose(&messages.Lost{}) }, -1},
		"lost, abandoned": {func(r *rig) { r.box.Lose(&messages.Lost{}); r.box.Abandon(messages.ErrLost) }, -1},
		"closed":          {func(r *rig) { r.box.Revoke(&messages.Revoked{}); r.box.Close() }, -1},
	} {
		bubbleOf(t, name, func(r *rig) {
			release := make(chan struct{})
			r.receive = receiving(func(rec *messages.Record) {
				if !rec.Complete(nil) {
					r.t.Error("the completion did not count")
				}
				<-release
			})
			r.withActor()
			r.deliver(0, 1)
			end.do(r)
			r.wantCommitted(end.next)
			close(release)
			r.wantCommitted(end.next)
		})
	}
}
