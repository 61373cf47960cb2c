package supervisor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

//go:noinline
func waitsForNobody(ctx context.Context, r *messages.Record) error {
	return consumertest.Block()(ctx, r)
}

// What is stuck is told once, with the stack of its goroutine, and again when the time has doubled; the neighbour runs. Nothing
// is done about it, and it is over when the handler returns.
func TestStuck(t *testing.T) {
	cfg := config{Handler: func(ctx context.Context, r *messages.Record) error {
		if r.Partition == 0 && r.Offset == 1 {
			return waitsForNobody(ctx, r)
		}
		return nil
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, neighbour := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Append("a", "b", "c")
		k.Advance(5*time.Minute - time.Second)
		expect(t, "state", p.Status().State, messages.StateBusy)
		expect(t, "reasons", len(k.Status().Health.Reasons), 0)
		expect(t, "events", len(eventsOf[*messages.Stuck](k)), 0)
		k.Advance(41 * time.Second) // it is looked eight times within StuckAfter
		told := eventsOf[*messages.Stuck](k)
		if len(told) != 1 {
			t.Fatalf("%d events", len(told))
		}
		e := told[0]
		if e.Claim != p.Claim() || e.Offset != 1 || e.Attempt != 0 || e.Kept || !strings.Contains(e.Stack, "supervisor_test.waitsForNobody") {
			t.Errorf("%+v", e)
		}
		if s := p.Status(); s.State != messages.StateStuck || !s.OpenSince.Equal(e.Since) || s.Head != 1 || s.Attempt != 0 {
			t.Errorf("%+v", s)
		}
		if h := k.Status().Health; !h.Ready || !h.Live || len(h.Reasons) != 1 || !strings.Contains(h.Reasons[0], "orders/0 is stuck at offset 1 since 2000-01-01T00:00:") {
			t.Errorf("%+v", h)
		}
		if !logged(k, "WARN", "does not return", `offset="1"`, "waitsForNobody") {
			t.Error("not in the log")
		}
		neighbour.Append("a")
		expect(t, "the neighbour", attempts(neighbour), "0#0/1")
		k.Advance(4 * time.Minute)
		expect(t, "events after 9 min", len(eventsOf[*messages.Stuck](k)), 1)
		k.Advance(2 * time.Minute)
		expect(t, "events after 11 min", len(eventsOf[*messages.Stuck](k)), 2)
		k.Advance(24 * time.Hour)
		if n := len(eventsOf[*messages.Stuck](k)); n < 8 || n > 10 {
			t.Errorf("%d events in a day", n)
		}
		expect(t, "delivered", attempts(p), "0#0/1 1#0/1")
		p.Release()
		expect(t, "delivered", attempts(p), "0#0/1 1#0/1 2#0/1")
		k.Advance(time.Minute)
		expect(t, "reasons", len(k.Status().Health.Reasons), 0)
		if !logged(k, "INFO", "has come to an end") {
			t.Error("the end is not in the log")
		}
		expect(t, "failures", len(p.Failures()), 0)
	})
}

// Each attempt that is stuck is told: also the next one of the same record, and that of a partition that was stuck before.
func TestStuckAgain(t *testing.T) {
	slow := consumertest.Work(20 * time.Minute)
	cfg := config{
		StuckAfter: 12 * time.Minute,
		Handler:    consumertest.Script(slow.Then(consumertest.Fail(errBoom)), slow, consumertest.Work(11*time.Minute), slow),
		Policy:     always(supervisor.Retry(every(0))),
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		k.Advance(2 * time.Hour)
		expect(t, "delivered", attempts(p), "0#0/1 0#1/1 1#0/1 2#0/1")
		var at []int64
		for _, e := range eventsOf[*messages.Stuck](k) {
			at = append(at, e.Offset*10+int64(e.Attempt))
		}
		if len(at) != 3 || at[0] != 0 || at[1] != 1 || at[2] != 20 {
			t.Errorf("told of (offset, attempt) %v", at)
		}
	})
}

// A kept record, which no HandlerTimeout covers, is told, with nobody's stack; and a hook that does not return.
func TestStuckWithoutAHandler(t *testing.T) {
	var kept *messages.Record
	cfg := config{Actor: func() actor.Actor {
		return receive(func(ctx actor.Context) {
			if r, ok := ctx.Message().(*messages.Record); ok {
				kept = r
				r.Keep()
			}
		})
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Advance(6 * time.Minute)
		told := eventsOf[*messages.Stuck](k)
		if len(told) != 1 || !told[0].Kept || told[0].Stack != "" || told[0].Offset != 0 {
			t.Errorf("%+v", told)
		}
		expect(t, "state", p.Status().State, messages.StateStuck)
		if !logged(k, "WARN", "was kept and is not completed") {
			t.Error("not in the log")
		}
		kept.Complete(nil)
		k.Advance(time.Second)
		expect(t, "state", p.Status().State, messages.StateIdle)
	})
	over := make(chan struct{})
	cfg = config{Handler: consumertest.Script()}
	cfg.Hooks.Assigned = func(context.Context, messages.Claim) error { <-over; return nil }
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		over = make(chan struct{})
		p := k.Assign("orders", 0)
		k.Advance(6 * time.Minute)
		told := eventsOf[*messages.Stuck](k)
		if len(told) != 1 || told[0].Offset != -1 || !strings.Contains(told[0].Stack, "TestStuckWithoutAHandler") {
			t.Errorf("%+v", told)
		}
		expect(t, "state", p.Status().State, messages.StateStuck)
		close(over)
	})
}

// Who is given up, or has ended, is not looked at.
func TestStuckAndTheEnd(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Block()), RebalanceTimeout: time.Hour}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Advance(time.Minute)
		p.StartRevoke(30 * time.Minute)
		k.Advance(20 * time.Minute)
		expect(t, "events", len(eventsOf[*messages.Stuck](k)), 0)
		p.Release()
		p.AwaitRelease()
		k.Advance(24 * time.Hour)
		if logged(k, "has come to an end") {
			t.Error("something was told of, and nothing was stuck")
		}
	})
}

type receive func(actor.Context)

func (f receive) Receive(ctx actor.Context) { f(ctx) }
