package conformance

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// TestBreaker: what all records need is away. One head is tried, and nothing else, on all partitions of a consumer, while a
// second member joins and takes the probe's partition or another one, and leaves again; the partitions that come back meet
// an open breaker, or one of their new owner's. When it is back, everything is handled.
func TestBreaker(t *testing.T) {
	t.Parallel() // it waits for its probes
	const (
		partitions, each = 6, 20
		pace             = 200 * time.Millisecond
	)
	errAway := errors.New("downstream is away")
	k := cluster(t)
	topic := k.topic(partitions)
	k.fill(topic, partitions, 0, each)
	l := newLedger(partitions, each)
	var away atomic.Bool
	away.Store(true)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Policy = supervisor.Policy{
		supervisor.On(supervisor.Is(errAway), supervisor.Break(supervisor.Every(pace))),
		supervisor.On(supervisor.Any(), supervisor.Park("something else")),
	}
	handle := func(_ context.Context, rec *consumer.Record) error {
		if away.Load() {
			return errAway
		}
		return nil
	}
	cfg.Handler = l.keeps("a", handle)
	a := start(t, "a", cfg)
	eventually(t, "the probe was tried often", func() bool { return a.status().Counters.Breaks > 2*partitions })
	eventually(t, "while it is open all hold, but in the moments of the probe, and it is ready", func() bool {
		s := a.status()
		return s.Breaker != "" && s.Health.Ready && len(a.partitions(messages.StateHolding)) == partitions
	})
	tried := map[int32]int{}
	for _, c := range l.calls(by("a")) {
		tried[c.partition]++
	}
	for p, n := range tried { // those that began before it opened, and the probe
		if n > 1 && n < partitions {
			t.Errorf("partition %d was tried %d times", p, n)
		}
	}

	cfg.Logger = k.journal.logger("b")
	cfg.Handler = l.keeps("b", handle)
	b := start(t, "b", cfg)
	b.owns(partitions / 2)
	eventually(t, "both have an open breaker, and go on trying", func() bool {
		return a.status().Breaker != "" && b.status().Counters.Breaks > partitions
	})
	b.leave()
	a.owns(partitions)
	before := a.status().Counters
	eventually(t, "the first one goes on trying", func() bool { return a.status().Counters.Breaks > before.Breaks+2 })
	if s := a.status(); s.Breaker == "" || s.Counters.Handled > 0 {
		t.Errorf("breaker %q, %d handled", s.Breaker, s.Counters.Handled)
	}
	away.Store(false)
	eventually(t, "all are processed", l.done)
	eventually(t, "it is closed", func() bool { return a.status().Breaker == "" })
	a.leave()
	l.clean(t)
	if opened, closed := len(told[*messages.BreakerOpened](a)), len(told[*messages.BreakerClosed](a)); opened != 1 || closed != 1 {
		t.Errorf("opened %d times, closed %d times", opened, closed)
	}
}
