package supervisor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// A handler that heeds its context is cut off, and its failure is that of the rule for timeouts, although a rule for its
// own error comes behind it and one for all handlers' errors before.
func TestHandlerTimeout(t *testing.T) {
	cut := func(ctx context.Context, _ *messages.Record) error {
		<-ctx.Done()
		return ctx.Err()
	}
	cfg := config{
		HandlerTimeout: 10 * time.Second,
		Handler:        consumertest.Script(cut, cut),
		Policy: supervisor.Policy{
			supervisor.On(supervisor.Class(messages.ClassHandler), supervisor.Skip()),
			supervisor.On(supervisor.Timeout(), supervisor.Retry(every(time.Minute))),
			supervisor.On(supervisor.Is(context.DeadlineExceeded), supervisor.Skip()),
		},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		k.Advance(9 * time.Second)
		expect(t, "failures", len(p.Failures()), 0)
		k.Advance(10 * time.Minute)
		f := p.Failures()
		expect(t, "failures", len(f), 2)
		expect(t, "class", f[0].Failure.Class, messages.ClassTimeout)
		expect(t, "is ErrTimeout", errors.Is(f[0].Failure.Err, messages.ErrTimeout), true)
		expect(t, "rule", f[0].Decision.Rule, "timeout")
		expect(t, "attempts", attempts(p), "0#0/1 0#1/1 0#2/1 1#0/1")
		expect(t, "second delivery", p.Deliveries()[1].At, 70*time.Second)
		expect(t, "committed", p.Committed(), 2)
		if !logged(k, "ERROR", `class="Timeout"`, "took too long") {
			t.Error("not in the log")
		}
	})
}

// A handler that does not heed it keeps its partition, and nothing else: the kit would see a second handler beside it. An
// operator's command on its head is refused, a restart waits, the neighbour runs.
func TestHandlerTimeoutWaits(t *testing.T) {
	handler := func(ctx context.Context, r *messages.Record) error {
		if r.Partition == 0 && r.Attempt == 0 {
			time.Sleep(time.Hour)
			return errBoom
		}
		return nil
	}
	for name, do := range map[string]supervisor.Directive{
		"retry": supervisor.Retry(every(0)), "restart": supervisor.Restart(every(0)), "skip": supervisor.Skip(),
		"dead letter": supervisor.DeadLetter("orders.dlt"), "park": supervisor.Park("slow"),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config{HandlerTimeout: 10 * time.Second, Handler: handler, Policy: always(do)}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p, neighbour := k.Assign("orders", 0), k.Assign("orders", 1)
				p.Append("a")
				k.Advance(30 * time.Minute)
				neighbour.Append("a", "b")
				expect(t, "the neighbour", attempts(neighbour), "0#0/1 1#0/1")
				expect(t, "failures", len(p.Failures()), 0)
				if err := p.Skip(0); err == nil || !strings.Contains(err.Error(), "is being handled") {
					t.Errorf("a skip meanwhile: %v", err)
				}
				k.Advance(30 * time.Minute)
				expect(t, "failures", len(p.Failures()), 1)
				expect(t, "class", p.Failures()[0].Failure.Class, messages.ClassTimeout)
				expect(t, "at", time.Until(p.Failures()[0].Failure.Last), 0)
			})
		})
	}
}

// A revocation, a stop and a loss do not wait for a handler whose time is over: they abandon it as any other.
func TestHandlerTimeoutAndTheEnd(t *testing.T) {
	for name, end := range map[string]func(*kit, *partition){
		"revoke": func(_ *kit, p *partition) { p.RevokeWithin(20 * time.Second) },
		"lost":   func(_ *kit, p *partition) { p.Lose(errOther) },
		"stop":   func(k *kit, _ *partition) { k.Tell(&messages.Stop{}) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config{HandlerTimeout: 10 * time.Second, Handler: consumertest.Script(consumertest.Block().Then(consumertest.Fail(errBoom)))}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				k.Advance(time.Minute)
				end(k, p)
				k.Advance(30 * time.Second)
				expect(t, "abandoned", len(eventsOf[*messages.Abandoned](k)), 1)
				expect(t, "failures", len(p.Failures()), 0)
				p.Release()
				expect(t, "failures after it returned", len(p.Failures()), 0)
			})
		})
	}
}

// Times counts timeouts as any failure, over owners, too.
func TestHandlerTimeoutBudget(t *testing.T) {
	cfg := config{
		HandlerTimeout: 10 * time.Second,
		Handler: func(ctx context.Context, _ *messages.Record) error {
			<-ctx.Done()
			return context.Cause(ctx)
		},
		Policy: always(supervisor.Retry(every(time.Second)).Times(3), supervisor.Park("it takes too long")),
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Advance(25 * time.Second)
		p.Revoke() // the third attempt has begun, and is a failure of this owner's
		expect(t, "attempts", attempts(p), "0#0/1 0#1/1 0#2/1")
		p = k.Assign("orders", 0)
		k.Advance(time.Minute)
		expect(t, "attempts", attempts(p), "0#3/1")
		expect(t, "state", p.Status().State, messages.StateParked)
		expect(t, "reason", p.Status().Reason, "it takes too long")
	})
}

func TestTimeoutMatcher(t *testing.T) {
	f := messages.Failure{Class: messages.ClassTimeout, Err: messages.ErrTimeout}
	policy := supervisor.Policy{
		supervisor.On(supervisor.Timeout(), supervisor.Park("slow")),
		supervisor.On(supervisor.Any(), supervisor.Skip()),
	}
	expect(t, "action", policy.Decide(f)[0].Action, messages.ActionPark)
	f.Class = messages.ClassOf(context.DeadlineExceeded)
	expect(t, "another deadline", policy.Decide(f)[0].Action, messages.ActionSkip)
	expect(t, "class of ErrTimeout", messages.ClassOf(messages.ErrTimeout), messages.ClassTimeout)
	policy = append(policy[:1:1], supervisor.On(supervisor.Class(messages.ClassTimeout), supervisor.Skip()))
	if err := policy.Validate(); err == nil || !strings.Contains(err.Error(), "never reached") {
		t.Errorf("validate: %v", err)
	}
}
