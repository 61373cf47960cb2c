package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// takeover bounds a whole rebalance, from the start of a member to its share: a few heartbeats, and less than the time
// that handlers have at a revoke. Whoever waited for that deadline would be later.
const takeover = 4 * time.Second

// TestBackoffAgainstRevoke: every head waits in a backoff of an hour when a second member joins. The old owner
// releases its share within a second of learning of it, the new one has it a few seconds after it was started and
// handles the records, and a drain does not wait for the rest either.
func TestBackoffAgainstRevoke(t *testing.T) {
	const partitions = 4
	k := cluster(t)
	topic := k.topic(partitions)
	k.fill(topic, partitions, 0, 3)
	l := newLedger(partitions, 3)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(time.Hour)))}
	cfg.Handler = l.keeps("a", func(context.Context, *consumer.Record) error { return errStumble })
	a := start(t, "a", cfg)
	eventually(t, "every head waits", func() bool { return len(a.partitions(messages.StateHolding)) == partitions })

	cfg.Logger = k.journal.logger("b")
	cfg.Handler = l.keeps("b", nil)
	began := time.Now()
	b := start(t, "b", cfg)
	b.owns(partitions / 2)
	if took := time.Since(began); took > takeover {
		t.Errorf("the second member owned its share %v after it was started, want at most %v", took, takeover)
	}
	eventually(t, "the new owner has handled its share", func() bool { return l.count() == 3*partitions/2 })
	if n := len(a.partitions(messages.StateHolding)); n != partitions/2 {
		t.Errorf("%d partitions of the old owner wait, want %d: who keeps a partition does not notice a rebalance", n, partitions/2)
	}

	a.leave()
	eventually(t, "all are processed", l.done)
	b.leave()
	l.clean(t)
	released := told[*messages.ClaimRevoked](a)
	if len(released) != partitions {
		t.Errorf("%d claims were released, want %d", len(released), partitions)
	}
	for _, r := range released {
		if r.Took > time.Second {
			t.Errorf("%v was released %v after it was revoked", r.Claim, r.Took)
		}
	}
	for _, c := range l.calls(by("b")) {
		if want := map[bool]int{true: 1, false: 0}[c.offset == 0]; c.attempt != want {
			t.Errorf("the new owner handled %d@%d with attempt %d, want %d", c.partition, c.offset, c.attempt, want)
		}
	}
}
