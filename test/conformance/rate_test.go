package conformance

import (
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
)

// TestRateLimit: three partitions have more than their rate lets through, and take the time that it says. A fourth one, which
// gets records meanwhile, is left alone: they are handled before another has gone on for a second.
func TestRateLimit(t *testing.T) {
	const (
		each, rate, burst = 60, 20, 2
		few               = 2
	)
	k := cluster(t)
	topic := k.topic(4)
	l := newLedger(4, each)
	l.expect(3, 0, few)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Limit = consumer.Limit{PerSecond: rate, Burst: burst}
	cfg.Handler = l.keeps("a", nil)
	a := start(t, "a", cfg)
	a.owns(4)
	began := time.Now()
	k.fill(topic, 3, 0, each)
	eventually(t, "they wait for their turn", func() bool { return l.next(0) > burst })
	before := l.next(0)
	k.produceTo(topic, 3, 0, few)
	eventually(t, "the fourth is processed", func() bool { return l.next(3) == few })
	if after := l.next(0); after > before+rate || after == each {
		t.Errorf("%d records of a neighbour were handled before it was", after-before)
	}
	eventually(t, "all are processed", l.done)
	if took := time.Since(began); took < (each-burst)*time.Second/rate {
		t.Errorf("%d records at %d a second took %v", each, rate, took)
	}
	a.leave()
	l.clean(t)
}

// TestRateLimitAgainstRevoke: every partition waits a minute and a half for its next turn when a second member joins, and when
// the first one leaves. Nobody waits for that.
func TestRateLimitAgainstRevoke(t *testing.T) {
	const partitions = 4
	k := cluster(t)
	topic := k.topic(partitions)
	k.fill(topic, partitions, 0, 3)
	l := newLedger(partitions, 2) // the third is nobody's turn
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Limit = consumer.Limit{PerSecond: 0.011}
	cfg.Handler = l.keeps("a", nil)
	a := start(t, "a", cfg)
	eventually(t, "each has handled one", func() bool { return l.count() == partitions })

	cfg.Logger = k.journal.logger("b")
	cfg.Handler = l.keeps("b", nil)
	began := time.Now()
	b := start(t, "b", cfg)
	b.owns(partitions / 2)
	if took := time.Since(began); took > takeover {
		t.Errorf("the second member owned its share %v after it was started, want at most %v", took, takeover)
	}
	eventually(t, "the new owner's partitions go on", func() bool { return l.count() == partitions+partitions/2 })
	began = time.Now()
	a.leave()
	if took := time.Since(began); took > takeover {
		t.Errorf("the first one took %v to leave", took)
	}
	b.owns(partitions)
	eventually(t, "each has handled two", func() bool { return l.count() == 2*partitions })
	b.leave()
	l.clean(t)
}
