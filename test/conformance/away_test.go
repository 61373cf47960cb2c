package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

const (
	awayFor   = 3 * time.Second
	awayMost  = 25                     // requests of one kind in a second; heartbeats are ten of them, and a hot loop makes thousands
	awayWait  = 500 * time.Millisecond // of fetches
	awayLines = 10                     // of warnings, in all
)

// paced counts for a while what a member asks, and fails the test when it is more of one kind than pacing allows.
func (m *meter) paced(t *testing.T) {
	t.Helper()
	m.reset()
	work(t.Context().Done(), awayFor)
	counts := m.reset()
	t.Logf("in %v: %s", awayFor, listed(counts))
	for key, n := range counts {
		if n > int(awayFor/time.Second)*awayMost {
			t.Errorf("%d requests %s in %v: that is a loop without a pause", n, key.Name(), awayFor)
		}
	}
}

// TestTopicsNotThereYet: a topic that does not exist makes other clients ask for it again and again without a pause, or
// create it by asking, with one partition and whatever else a broker's defaults are. Here it is said once, asked for at
// intervals, and not created; another one is consumed meanwhile.
func TestTopicsNotThereYet(t *testing.T) {
	t.Parallel() // it waits until the topics are looked at
	k := cluster(t)
	k.createsByAsking(t)
	missing, present := name("missing"), k.topic(1)
	l := newLedger(1, 20)
	var m meter
	cfg := k.config("a", name("g"), missing)
	cfg.Topics = append(cfg.Topics, present)
	cfg.Fetch.MaxWait = awayWait
	cfg.Handler = l.keeps("a", nil)
	m.through(&cfg)
	a := start(t, "a", cfg)
	eventually(t, "readiness names it", func() bool { return a.names(missing) })
	m.paced(t)
	k.fill(present, 1, 0, 20)
	eventually(t, "the other one is consumed", l.done)
	if k.exists(missing) {
		t.Error("the topic was created by asking for it")
	}
	a.leave()
	l.clean(t)
	if n := k.journal.count("a WARN", missing) + k.journal.count("a ERROR", missing); n == 0 || n > awayLines {
		t.Errorf("%d lines warn of it", n)
	}
}

// TestTopicsDeletedForGood: a topic is deleted while its records are being handled, and stays away. Readiness names it, the
// broker is asked for it at intervals, by nobody so that it is made again; its claims are over soon, though what they have
// finished cannot be committed any more; another one runs on, and the consumer can be drained.
func TestTopicsDeletedForGood(t *testing.T) {
	t.Parallel() // it waits until the topics are looked at
	const each = 4000
	k := cluster(t)
	k.createsByAsking(t)
	doomed, present := k.topic(2), k.topic(1)
	k.fill(doomed, 2, 0, each)
	gone, stays := newLedger(2, each), newLedger(1, each/2)
	ofGone, ofStays := gone.keeps("a", nil), stays.keeps("a", nil)
	var m meter
	cfg := k.config("a", name("g"), doomed)
	cfg.Topics = append(cfg.Topics, present)
	cfg.Fetch.MaxWait = awayWait
	cfg.RebalanceTimeout = 2 * time.Minute // of which its claims would take all but a reserve: what they have finished is refused
	cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
		if rec.Topic == present {
			return ofStays(ctx, rec)
		}
		work(ctx.Done(), 2*time.Millisecond)
		return ofGone(ctx, rec)
	}
	m.through(&cfg)
	a := start(t, "a", cfg)
	eventually(t, "both of its partitions are being handled", func() bool { return gone.next(0) > 20 && gone.next(1) > 20 })
	k.remove(doomed)
	if gone.count() == 2*each {
		t.Fatal("all of it was handled before it was deleted")
	}
	k.fill(present, 1, 0, each/2)
	eventually(t, "the other one is consumed", stays.done)
	m.paced(t) // its claims go on for a while: until the group's leader looks at topics, every ten seconds
	eventually(t, "readiness names it", func() bool { return a.names(doomed) })
	eventually(t, "its claims have ended", func() bool { return len(a.status().Partitions) == 1 })
	m.paced(t)
	if k.exists(doomed) {
		t.Error("the topic was created by asking for it")
	}
	if h := a.status().Health; !h.Live {
		t.Errorf("the consumer is not live: %v", h.Reasons)
	}
	a.leave()
	stays.clean(t)
	if n := k.journal.count("a WARN", doomed) + k.journal.count("a ERROR", doomed); n == 0 || n > 3*awayLines {
		t.Errorf("%d lines warn of it", n)
	}
	dropped, released := map[int32]bool{}, map[int32]bool{}
	for _, e := range told[*messages.CommitFailed](a) {
		if e.Final && e.Claim.Topic == doomed && errors.As(e.Err, new(*supervisor.GoneError)) {
			dropped[e.Claim.Partition] = true
		}
	}
	for _, e := range told[*messages.ClaimRevoked](a) {
		if e.Claim.Topic == doomed {
			released[e.Claim.Partition] = true
			if e.Took > 20*time.Second {
				t.Errorf("%v was released after %v", e.Claim, e.Took)
			}
		}
	}
	if len(dropped) != 2 || len(released) != 2 {
		t.Errorf("of 2 partitions, the commits of %d were dropped because they are gone, and %d were released", len(dropped), len(released))
	}
	if lost := told[*messages.ClaimLost](a); len(lost) > 0 {
		t.Errorf("%d claims were lost: %v", len(lost), lost[0].Err)
	}
}

// names: the consumer is live, not ready, and says that because of the topic.
func (m *member) names(topic string) bool {
	h := m.status().Health
	return h.Live && !h.Ready && strings.Contains(strings.Join(h.Reasons, "\n"), topic)
}
