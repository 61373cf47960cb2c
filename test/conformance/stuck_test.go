package conformance

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// hangs is what is looked for in the stack that is reported.
//
//go:noinline
func hangs(g *gate) { <-g.open }

// TestStuckHandler: a handler does not return. It is reported, with the place where it hangs, and named by status and
// readiness; the neighbour runs on, and so does its own partition when it returns after all.
func TestStuckHandler(t *testing.T) {
	const each = 10
	k := cluster(t)
	topic := k.topic(2)
	k.fill(topic, 2, 0, each/2)
	l := newLedger(2, each)
	g := newGate()
	defer g.release()
	cfg := k.config("a", "g-"+topic, topic)
	cfg.StuckAfter = 300 * time.Millisecond
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Partition == 0 && rec.Offset == 3 {
			hangs(g)
		}
		return nil
	})
	a := start(t, "a", cfg)
	eventually(t, "it is reported", func() bool { return len(told[*messages.Stuck](a)) > 0 })
	if e := told[*messages.Stuck](a)[0]; e.Claim.Partition != 0 || e.Offset != 3 || !strings.HasPrefix(e.Stack, "github.com/ottla-go/ottla/test/conformance.hangs\n") {
		t.Errorf("%+v", e)
	}
	if p := a.partitions(messages.StateStuck); len(p) != 1 || p[0].Head != 3 || p[0].OpenSince.IsZero() {
		t.Errorf("stuck partitions: %+v", p)
	}
	if h := a.status().Health; !h.Ready || !strings.Contains(strings.Join(h.Reasons, "\n"), topic+"/0 is stuck at offset 3") {
		t.Errorf("health: %+v", h)
	}
	k.fill(topic, 2, each/2, each)
	eventually(t, "the neighbour runs on", func() bool { return l.next(1) == each })
	g.release()
	eventually(t, "all are processed", l.done)
	if n := len(a.partitions(messages.StateStuck)); n > 0 {
		t.Errorf("%d partitions are still stuck", n)
	}
	a.leave()
	l.clean(t)
}
