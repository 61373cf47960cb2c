package conformance

import (
	"strings"
	"testing"
	"time"
)

// TestInputTopicThatDoesNotExist: it is waited for, said to be missing in the log and in readiness, and not created by
// asking for it. Once it is there, it is consumed.
func TestInputTopicThatDoesNotExist(t *testing.T) {
	t.Parallel() // it waits until the topics are looked at
	k := cluster(t)
	k.createsByAsking(t)
	topic := name("late")
	l := newLedger(2, 10)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Handler = l.keeps("a", nil)
	a := start(t, "a", cfg)
	eventually(t, "readiness names the topic", func() bool {
		h := a.status().Health
		return h.Live && !h.Ready && strings.Contains(strings.Join(h.Reasons, "\n"), topic)
	})
	if k.journal.count("WARN", topic, "does not exist") == 0 && k.journal.count("ERROR", topic, "does not exist") == 0 {
		t.Error("the log does not say that the topic does not exist")
	}
	if k.exists(topic) {
		t.Error("the topic was created by asking for it")
	}
	k.create(topic, 2)
	k.fill(topic, 2, 0, 10)
	eventually(t, "all are processed", l.done)
	eventually(t, "the consumer is ready", func() bool { return a.status().Health.Ready })
	a.leave()
	l.clean(t)
}

// TestInputSessionTimeoutRefused: a session timeout that the broker does not accept ends Run with an error that names
// the setting, its value, and what to do.
func TestInputSessionTimeoutRefused(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.SessionTimeout, cfg.HeartbeatInterval = 50*time.Millisecond, 20*time.Millisecond
	cfg.Handler = newLedger(1, 0).keeps("a", nil)
	a := start(t, "a", cfg)
	received(t, a.ended, "Run ends")
	if a.result == nil {
		t.Fatal("Run answered nil")
	}
	for _, part := range []string{"SessionTimeout", "50ms", "group.min.session.timeout.ms"} {
		if !strings.Contains(a.result.Error(), part) {
			t.Errorf("Run answered %q, which does not name %s", a.result, part)
		}
	}
}
