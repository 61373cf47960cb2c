package conformance

import (
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// TestStaticMember: a static member that is restarted within its session has its partitions back, and the other member's
// claims are untouched. A second process with its instance id takes over; the first one ends and names the setting.
func TestStaticMember(t *testing.T) {
	const partitions, each = 4, 60
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each/3)
	l := newLedger(partitions, each)
	run := func(name, instance string) *member {
		cfg := k.config(name, group, topic)
		cfg.InstanceID = instance
		cfg.SessionTimeout = 20 * time.Second
		cfg.Handler = l.keeps(name, nil)
		return start(t, name, cfg)
	}
	owned := func(m *member) map[int32]bool {
		out := map[int32]bool{}
		for p := range m.partitions() {
			out[p] = true
		}
		return out
	}
	a, b := run("a", "one"), run("b", "two")
	a.owns(2)
	b.owns(2)
	eventually(t, "a third is processed", func() bool { return l.count() == partitions*each/3 })
	before, sequences := owned(a), sequencesOf(b)
	a.leave()
	a = run("a2", "one")
	a.owns(2)
	if after := owned(a); !equalSets(before, after) {
		t.Errorf("the restarted member owns %v, and owned %v", after, before)
	}
	k.fill(topic, partitions, each/3, 2*each/3)
	eventually(t, "two thirds are processed", func() bool { return l.count() == 2*partitions*each/3 })
	if now := sequencesOf(b); !equalSets(sequences, now) {
		t.Errorf("the other member has other claims: %v, before %v", now, sequences)
	}

	again := run("a3", "one")
	received(t, a.ended, "the process whose instance id was taken ends")
	if a.result == nil || !strings.Contains(a.result.Error(), "InstanceID") {
		t.Errorf("its Run answered %v, which does not name InstanceID", a.result)
	}
	if lost := told[*messages.ClaimLost](a); len(lost) != 2 {
		t.Errorf("%d of its claims were lost, want 2", len(lost))
	}
	again.owns(2)
	k.fill(topic, partitions, 2*each/3, each)
	eventually(t, "all are processed", l.done)
	again.leave()
	b.leave()
	l.clean(t)
}

// sequencesOf are the numbers of a member's claims.
func sequencesOf(m *member) map[uint64]bool {
	out := map[uint64]bool{}
	for _, p := range m.partitions() {
		out[p.Claim.Sequence] = true
	}
	return out
}

func equalSets[K comparable](a, b map[K]bool) bool {
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return len(a) == len(b)
}
