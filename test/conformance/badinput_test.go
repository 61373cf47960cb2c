package conformance

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
)

// TestBadInputOneTopicOfTwo: a topic that does not exist does not keep the consumer from another one that does, and
// what it says names only the one that is missing.
func TestBadInputOneTopicOfTwo(t *testing.T) {
	t.Parallel() // it waits until the topics are looked at
	const each = 20
	k := cluster(t)
	present, missing := k.topic(1), name("missing")
	k.fill(present, 1, 0, each)
	there, later := newLedger(1, each), newLedger(2, each)
	ofPresent, ofMissing := there.keeps("a", nil), later.keeps("a", nil)
	cfg := k.config("a", name("g"), missing)
	cfg.Topics = append(cfg.Topics, present)
	cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
		if rec.Topic == present {
			return ofPresent(ctx, rec)
		}
		return ofMissing(ctx, rec)
	}
	a := start(t, "a", cfg)
	eventually(t, "the topic that exists is consumed", there.done)
	var reasons string
	eventually(t, "readiness says that it waits for the other", func() bool {
		h := a.status().Health
		reasons = strings.Join(h.Reasons, "\n")
		return h.Live && !h.Ready && strings.Contains(reasons, missing)
	})
	if strings.Contains(reasons, present) {
		t.Errorf("readiness names the topic that exists: %s", reasons)
	}
	k.create(missing, 2)
	k.fill(missing, 2, 0, each)
	eventually(t, "it is consumed", later.done)
	eventually(t, "the consumer is ready", func() bool { return a.status().Health.Ready })
	a.leave()
	there.clean(t)
	later.clean(t)
}

// TestBadInputSessionTimeoutTooLong: a broker has an upper bound, too (half an hour by default), and the error names
// both of its settings.
func TestBadInputSessionTimeoutTooLong(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.SessionTimeout = 2 * time.Hour
	cfg.Handler = newLedger(1, 0).keeps("a", nil)
	a := start(t, "a", cfg)
	received(t, a.ended, "Run ends")
	if a.result == nil {
		t.Fatal("Run answered nil")
	}
	for _, part := range []string{"SessionTimeout = 2h0m0s", "group.min.session.timeout.ms", "group.max.session.timeout.ms"} {
		if !strings.Contains(a.result.Error(), part) {
			t.Errorf("Run answered %q, which does not say %q", a.result, part)
		}
	}
}

// TestBadInputNobodyListens: a broker that is not there is waited for, readiness names it, and the consumer can be
// ended.
func TestBadInputNobodyListens(t *testing.T) {
	t.Parallel() // it waits for an answer
	k := cluster(t)
	cfg := k.config("a", name("g"), name("t"))
	cfg.Brokers = []string{"127.0.0.1:1"} // tcpmux: nobody has it, and it is below what the kernel gives out
	cfg.Handler = newLedger(1, 0).keeps("a", nil)
	a := start(t, "a", cfg)
	eventually(t, "readiness names the broker", func() bool {
		h := a.status().Health
		return h.Live && !h.Ready && strings.Contains(strings.Join(h.Reasons, "\n"), "127.0.0.1:1")
	})
	a.leave()
}
