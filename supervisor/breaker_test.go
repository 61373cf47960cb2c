package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

var errAway = errors.New("downstream is away")

// downstream is what all records need.
type downstream struct{ away atomic.Bool }

func (d *downstream) handle(context.Context, *messages.Record) error {
	if d.away.Load() {
		return errAway
	}
	return nil
}

// breaks opens the breaker for what is away, and retries all else for hours.
func breaks(probe time.Duration) supervisor.Policy {
	return supervisor.Policy{
		supervisor.On(supervisor.Is(errAway), supervisor.Break(every(probe))),
		supervisor.On(supervisor.Any(), supervisor.Retry(every(10*time.Hour))),
	}
}

// deliveredAt are the times of a partition's deliveries, in seconds.
func deliveredAt(p *partition) string {
	var out []string
	for _, d := range p.Deliveries() {
		out = append(out, fmt.Sprintf("%d#%d@%v", d.Offset, d.Attempt, d.At))
	}
	return strings.Join(out, " ")
}

// One head is tried every ten seconds, and nothing else, until it succeeds. What was with a handler has finished; what is
// assigned meanwhile waits, too.
func TestBreaker(t *testing.T) {
	var d downstream
	d.away.Store(true)
	cfg := config{Policy: breaks(10 * time.Second), Handler: func(ctx context.Context, r *messages.Record) error {
		if r.Partition == 1 && r.Offset == 0 {
			time.Sleep(5 * time.Second)
			return nil
		}
		return d.handle(ctx, r)
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, busy, idle := k.Assign("orders", 0), k.Assign("orders", 1), k.Assign("orders", 2)
		expect(t, "status while it is closed", k.Status().Breaker, "")
		busy.Append("a", "b")
		p.Append("a", "b")
		idle.Append("a")
		k.Advance(15 * time.Second)
		late := k.Assign("orders", 3)
		late.Append("a")
		k.Advance(16 * time.Second)
		expect(t, "the probe", deliveredAt(p), "0#0@0s 0#1@10s 0#2@20s 0#3@30s")
		expect(t, "what was with a handler", deliveredAt(busy), "0#0@0s")
		expect(t, "committed", busy.Committed(), 1)
		expect(t, "idle", deliveredAt(idle), "")
		expect(t, "assigned meanwhile", deliveredAt(late), "")
		st := k.Status()
		expect(t, "status", st.Breaker, "open since 2000-01-01T00:00:00Z: the head of orders/0 is tried at 2000-01-01T00:00:40Z")
		expect(t, "ready", st.Health.Ready, true)
		expect(t, "counted", st.Counters.Breaks, 4)
		if r := strings.Join(st.Health.Reasons, "\n"); len(st.Health.Reasons) != 2 || !strings.Contains(r, "the breaker is open since") || !strings.Contains(r, "orders/0 holds at offset 0") {
			t.Errorf("reasons: %s", r)
		}
		for _, s := range st.Partitions {
			if s.State != messages.StateHolding || (s.Reason == messages.ReasonBreaker) != (s.Claim.Partition != 0) || s.NextRetry.IsZero() == (s.Claim.Partition == 0) {
				t.Errorf("%v: %v, reason %q, next retry %v", s.Claim, s.State, s.Reason, s.NextRetry)
			}
		}
		if opened := eventsOf[*messages.BreakerOpened](k); len(opened) != 1 || opened[0].Head != p.Head(0) || opened[0].Rule != `error is "downstream is away"` {
			t.Errorf("opened: %v", opened)
		}
		expect(t, "decision", p.Decisions()[0].Action, messages.ActionBreak)
		if !logged(k, "WARN", "the breaker is open", `probe="orders/0@0"`) || !logged(k, "ERROR", "all partitions of this consumer hold") {
			t.Error("not in the log")
		}
		if err := idle.Retry(0); err == nil || !strings.Contains(err.Error(), "breaker is open") {
			t.Errorf("a retry of what is not the probe: %v", err)
		}

		d.away.Store(false)
		k.Advance(10 * time.Second)
		expect(t, "the probe", deliveredAt(p), "0#0@0s 0#1@10s 0#2@20s 0#3@30s 0#4@40s 1#0@40s")
		for _, other := range []*partition{busy, idle, late} {
			if at := deliveredAt(other); !strings.HasSuffix(at, "#0@40s") {
				t.Errorf("%v: %s", other.Claim(), at)
			}
		}
		if closed := eventsOf[*messages.BreakerClosed](k); len(closed) != 1 || closed[0].Claim != p.Claim() || closed[0].Open != 40*time.Second {
			t.Errorf("closed: %v", closed)
		}
		expect(t, "status", k.Status().Breaker, "")
		if !logged(k, "INFO", "the breaker is closed") {
			t.Error("not in the log")
		}

		d.away.Store(true) // it opens anew, with another probe
		late.Append("b")
		p.Append("c")
		idle.Append("b")
		k.Advance(5 * time.Second)
		expect(t, "opened", len(eventsOf[*messages.BreakerOpened](k)), 2)
		d.away.Store(false)
		k.Advance(10 * time.Second)
		expect(t, "idle", idle.Committed(), 2)
	})
}

// The probe will not come any more, for whatever reason: the next head of another partition takes its place, not before the
// pace is over; and the breaker does not close meanwhile. What was decided about the probe stays so.
func TestBreakerProbeReplaced(t *testing.T) {
	errData := errors.New("bad data")
	for name, c := range map[string]struct {
		policy supervisor.Policy
		err    error // that the probe fails with the second time
		act    func(k *kit, p *partition)
		at     string // when the other head is tried
		state  messages.State
	}{
		"revoked":                           {act: func(_ *kit, p *partition) { p.Revoke() }, at: "0#0@10s", state: messages.StateStopping},
		"lost":                              {act: func(_ *kit, p *partition) { p.Lose(errOther) }, at: "0#0@10s", state: messages.StateStopping},
		"skipped":                           {act: func(_ *kit, p *partition) { _ = p.Skip(0) }, at: "0#0@10s", state: messages.StateIdle},
		"dead-lettered by an operator":      {act: func(k *kit, p *partition) { k.Do(&messages.DeadLetterHead{Head: p.Head(0), To: "dlt", By: "test"}) }, at: "0#0@10s", state: messages.StateIdle},
		"fails for another reason, retried": {err: errOther, at: "0#0@20s", state: messages.StateHolding},
		"fails for another reason, skipped": {
			policy: append(supervisor.Policy{supervisor.On(supervisor.Is(errData), supervisor.Skip())}, breaks(10*time.Second)...),
			err:    errData, at: "0#0@20s", state: messages.StateIdle,
		},
		"dead-lettered": {
			policy: append(supervisor.Policy{supervisor.On(supervisor.Is(errData), supervisor.DeadLetter("dlt"))}, breaks(10*time.Second)...),
			err:    errData, at: "0#0@20s", state: messages.StateIdle,
		},
		"parked after its budget": {
			policy: supervisor.Policy{supervisor.On(supervisor.Is(errAway), supervisor.Break(every(10*time.Second)).Times(1), supervisor.Park("still away"))},
			err:    errAway, at: "0#0@20s", state: messages.StateParked,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config{Policy: c.policy, Handler: func(_ context.Context, r *messages.Record) error {
				switch {
				case r.Partition == 1:
					return nil
				case r.Attempt == 0:
					return errAway
				}
				return c.err
			}}
			if cfg.Policy == nil {
				cfg.Policy = breaks(10 * time.Second)
			}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p, other := k.Assign("orders", 0), k.Assign("orders", 1)
				p.Append("a")
				other.Append("a", "b")
				if c.act != nil {
					k.Advance(4 * time.Second)
					c.act(k, p)
				}
				expect(t, "the other", deliveredAt(other), "")
				k.Advance(5 * time.Second)
				expect(t, "the other", deliveredAt(other), "")
				if c.act != nil && !strings.Contains(k.Status().Breaker, "the next head of any partition is tried, not before 2000-01-01T00:00:10Z") {
					t.Errorf("status: %s", k.Status().Breaker)
				}
				k.Advance(20 * time.Second)
				expect(t, "the other", deliveredAt(other), c.at+" 1#0"+c.at[3:])
				expect(t, "closed", len(eventsOf[*messages.BreakerClosed](k)), 1)
				expect(t, "state", p.Status().State, c.state)
			})
		})
	}
}

// A probe that fails while its claim is being given up has failed all the same: the next one waits for the pace.
func TestBreakerProbeFailsAtTheEnd(t *testing.T) {
	cfg := config{Policy: breaks(10 * time.Second), Handler: func(_ context.Context, r *messages.Record) error {
		if r.Partition == 1 {
			return nil
		}
		if r.Attempt > 0 {
			time.Sleep(3 * time.Second)
		}
		return errAway
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, other := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Append("a")
		other.Append("a")
		k.Advance(11 * time.Second)
		p.Revoke()
		k.Advance(time.Minute)
		expect(t, "the probe", deliveredAt(p), "0#0@0s 0#1@10s")
		expect(t, "the other", deliveredAt(other), "0#0@23s")
	})
}

// With nobody there the breaker stays open: the first head of who is assigned next is the probe, and only it.
func TestBreakerWithoutPartitions(t *testing.T) {
	var d downstream
	d.away.Store(true)
	consumertest.Run(t, config{Policy: breaks(10 * time.Second), Handler: d.handle}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Advance(time.Second)
		p.Revoke()
		k.Advance(time.Hour)
		a, b := k.Assign("orders", 1), k.Assign("orders", 2)
		a.Append("a")
		b.Append("a")
		expect(t, "a", attempts(a), "0#0/1")
		expect(t, "b", attempts(b), "")
		expect(t, "opened", len(eventsOf[*messages.BreakerOpened](k)), 1)
		d.away.Store(false)
		k.Advance(10 * time.Second)
		expect(t, "a", attempts(a), "0#0/1 0#1/1")
		expect(t, "b", attempts(b), "0#0/1")
	})
}

// The end of an opening releases what the breaker has held, and nothing else: a park and a hold of a neighbour stay; what is
// retried by an operator meanwhile waits for the breaker.
func TestBreakerLeavesOtherGatesAlone(t *testing.T) {
	errData := errors.New("bad data")
	var d downstream
	policy := append(supervisor.Policy{supervisor.On(supervisor.Is(errData), supervisor.Park("bad data"))}, breaks(10*time.Second)...)
	cfg := config{Policy: policy, Handler: func(ctx context.Context, r *messages.Record) error {
		switch {
		case r.Partition == 1 && r.Attempt == 0, r.Partition == 3 && r.Attempt == 0:
			return errData
		case r.Partition == 2 && r.Attempt == 0:
			return errOther
		}
		return d.handle(ctx, r)
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		var ps []*partition
		for i := range int32(4) {
			ps = append(ps, k.Assign("orders", i))
		}
		for _, p := range ps[1:] {
			p.Append("a", "b")
		}
		d.away.Store(true)
		ps[0].Append("a")
		k.Advance(5 * time.Second)
		if err := ps[3].Retry(0); err != nil {
			t.Errorf("un-park: %v", err)
		}
		k.Advance(time.Second)
		expect(t, "un-parked, and held by the breaker", attempts(ps[3]), "0#0/1")
		d.away.Store(false)
		k.Advance(time.Minute)
		expect(t, "closed", len(eventsOf[*messages.BreakerClosed](k)), 1)
		expect(t, "parked", ps[1].Status().State, messages.StateParked)
		expect(t, "holding", ps[2].Status().State, messages.StateHolding)
		expect(t, "parked", attempts(ps[1]), "0#0/1")
		expect(t, "holding", attempts(ps[2]), "0#0/1")
		expect(t, "un-parked", attempts(ps[3]), "0#0/1 0#1/1 1#0/1")
	})
}

// An operator's retry of the probe tries it at once. A panic is answered with a fresh actor. A stop does not wait.
func TestBreakerCommandsAndPanics(t *testing.T) {
	var d downstream
	d.away.Store(true)
	cfg := config{Policy: always(supervisor.Break(every(time.Hour))), Handler: func(ctx context.Context, r *messages.Record) error {
		if r.Attempt == 0 && r.Partition == 0 {
			panic("boom")
		}
		return d.handle(ctx, r)
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, other := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Append("a")
		other.Append("a")
		if err := p.Retry(0); err != nil {
			t.Error(err)
		}
		k.Advance(time.Second)
		expect(t, "the probe", attempts(p), "0#0/1 0#1/2")
		d.away.Store(false)
		if err := p.Retry(0); err != nil {
			t.Error(err)
		}
		k.Advance(time.Second)
		expect(t, "the probe", attempts(p), "0#0/1 0#1/2 0#2/2")
		expect(t, "the other", attempts(other), "0#0/1")
		expect(t, "closed", len(eventsOf[*messages.BreakerClosed](k)), 1)
		d.away.Store(true)
		other.Append("b")
		k.Advance(time.Second)
		expect(t, "open", k.Status().Breaker != "", true)
		began := k.Now()
		k.Tell(&messages.Drain{})
		_ = k.Wait()
		if took := k.Now() - began; took > time.Second {
			t.Errorf("the drain took %v", took)
		}
	})
}

// A hook that fails has no head: Break is a Retry then, and no other partition waits.
func TestBreakerIsForRecords(t *testing.T) {
	cfg := config{Policy: always(supervisor.Break(every(time.Minute))), Handler: consumertest.Script()}
	cfg.Hooks.Assigned = func(_ context.Context, c messages.Claim) error {
		if c.Partition == 0 {
			return errAway
		}
		return nil
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, other := k.Assign("orders", 0), k.Assign("orders", 1)
		k.Advance(time.Minute)
		other.Append("a")
		expect(t, "the other", attempts(other), "0#0/1")
		expect(t, "decision", p.Decisions()[0].Action, messages.ActionRetry)
		expect(t, "delay", p.Decisions()[0].Delay, time.Minute)
		expect(t, "events", len(eventsOf[*messages.BreakerOpened](k)), 0)
	})
}

func TestBreakDirective(t *testing.T) {
	p := supervisor.Policy{supervisor.On(supervisor.Is(errAway), supervisor.Break(supervisor.Backoff{Base: time.Second, Factor: 2}).Times(2), supervisor.Park("still away"))}
	expect(t, "explained", strings.HasPrefix(p.Explain(), `1. error is "downstream is away": Break, probe after 1s, 2s, 4s, 8s, … up to 1h, 2 times; then Park "still away"`), true)
	f := messages.Failure{Err: errAway, Class: messages.ClassHandler}
	d := p.Decide(f, f, f)
	expect(t, "delays", fmt.Sprint(d[0].Delay, d[1].Delay, d[2].Action), "1s 2s Park")
	for _, bad := range []supervisor.Policy{always(supervisor.Break(supervisor.Backoff{Base: -1})), always(supervisor.Break(every(1)), supervisor.Skip())} {
		if bad.Validate() == nil {
			t.Errorf("%s is valid", bad.Explain())
		}
	}
	if err := always(supervisor.Break(supervisor.Quick())).Validate(); err != nil {
		t.Error(err)
	}
}
