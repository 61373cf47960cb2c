package supervisor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Status is made of snapshots: it is answered while partitions are stuck, and takes no time.
func TestStatusWhilePartitionsAreStuck(t *testing.T) {
	handler := func(ctx context.Context, r *messages.Record) error {
		switch r.Partition {
		case 0:
			return consumertest.Block()(ctx, r)
		case 1:
			return errBoom
		}
		return nil
	}
	cfg := config{Handler: handler, Policy: always(supervisor.Retry(every(time.Hour)))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		stuck, holding, idle := k.Assign("orders", 0), k.Assign("orders", 1), k.Assign("orders", 2)
		stuck.Append("a", "b")
		holding.Append("a", "b", "c")
		idle.Append("a")
		k.Advance(time.Minute)
		began := k.Now()
		st := k.Status()
		expect(t, "took", k.Now()-began, 0)
		expect(t, "phase", st.Phase, "member")
		expect(t, "member", st.Member, stuck.Claim().Member)
		expect(t, "ready", st.Health.Ready, true)
		expect(t, "partitions", len(st.Partitions), 3)
		for i, want := range []struct {
			state     messages.State
			depth     int
			attempt   int
			committed int64
			lag       int64
		}{
			{messages.StateBusy, 2, 0, -1, 2},
			{messages.StateHolding, 3, 1, 0, 3},
			{messages.StateIdle, 0, 0, 1, 0},
		} {
			s := st.Partitions[i]
			if s.Claim.Partition != int32(i) || s.State != want.state || s.Depth != want.depth || s.Attempt != want.attempt || s.Committed != want.committed || s.Lag != want.lag {
				t.Errorf("%+v, want %+v", s, want)
			}
		}
		expect(t, "open since", time.Since(st.Partitions[0].OpenSince), time.Minute)
		expect(t, "next retry", time.Until(st.Partitions[1].NextRetry), 59*time.Minute)
		expect(t, "error", st.Partitions[1].Error, "boom")
		expect(t, "decision", st.Partitions[1].Decision.Action, messages.ActionRetry)
		expect(t, "handled in all", st.Counters.Handled, 1)
		expect(t, "failed in all", st.Counters.Failed, 1)
		if st.Bytes != st.Partitions[0].Bytes+st.Partitions[1].Bytes || st.Bytes == 0 {
			t.Errorf("%d bytes in all", st.Bytes)
		}
		if r := strings.Join(st.Health.Reasons, "\n"); !strings.Contains(r, "orders/1 holds at offset 0") {
			t.Errorf("reasons %q", r)
		}
	})
}

// The counters of claims that have ended stay in the consumer's.
func TestCountersOutliveClaims(t *testing.T) {
	cfg := config{Handler: failOn(1, 1, consumertest.Panic("boom")), Policy: always(supervisor.Restart(every(time.Second)))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		for range 3 {
			p := k.Assign("orders", 0)
			p.Append("a")
			k.Advance(time.Minute)
			p.Revoke()
		}
		c := k.Status().Counters
		expect(t, "handled", c.Handled, 3)
		expect(t, "failed", c.Failed, 1)
		expect(t, "restarted", c.Restarted, 1)
		if c.Commits < 3 {
			t.Errorf("%d commits", c.Commits)
		}
	})
}

// A notice of the membership makes the consumer unready until it is cleared.
func TestNotices(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		k.Notice(errBoom)
		h := k.Status().Health
		if h.Ready || !h.Live || !strings.Contains(strings.Join(h.Reasons, ";"), "boom") {
			t.Errorf("health %+v", h)
		}
		if !logged(k, "WARN", "boom") {
			t.Error("not in the log")
		}
		k.Notice(nil)
		expect(t, "ready", k.Status().Health.Ready, true)
	})
}

// After a loss the consumer has to join anew: until then it does no work, and is not ready.
func TestALossIsNotReady(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		expect(t, "ready", k.Status().Health.Ready, true)
		p.Lose(errOther)
		h := k.Status().Health
		if h.Ready || !h.Live || len(h.Reasons) != 1 || !strings.Contains(h.Reasons[0], "not a member") {
			t.Errorf("after a loss: %+v", h)
		}
		k.Assign("orders", 0)
		expect(t, "ready again", k.Status().Health.Ready, true)
	})
}
