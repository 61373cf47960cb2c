package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// static is a configuration of a static member.
func (k *kafka) static(name, group, topic, instance string) consumer.Config {
	cfg := k.config(name, group, topic)
	cfg.InstanceID = instance
	cfg.SessionTimeout = 20 * time.Second
	return cfg
}

// TestStaticMember: a static member that is restarted within its session has its partitions back, and the other member's
// claims are untouched: it goes on with a record in flight. Elsewhere a restart is a rebalance, which stops the whole group.
func TestStaticMember(t *testing.T) {
	const partitions, each = 4, 60
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each/2)
	l, g := newLedger(partitions, each), newGate()
	defer g.release()
	run := func(name, instance string) *member {
		cfg := k.static(name, group, topic, instance)
		cfg.Handler = l.keeps(name, func(_ context.Context, rec *consumer.Record) error {
			if name == "b" && rec.Offset == each/2 {
				<-g.open
			}
			return nil
		})
		return start(t, name, cfg)
	}
	a, b := run("a", "one"), run("b", "two")
	a.owns(2)
	b.owns(2)
	eventually(t, "a half is processed", func() bool { return l.count() == partitions*each/2 })
	before, sequences := owned(a), sequencesOf(b)
	k.fill(topic, partitions, each/2, each)
	eventually(t, "b has a record of each partition in flight", func() bool { return len(l.running("b")) == 2 })
	a.leave()
	if state, n := k.group(group); n != 2 {
		t.Errorf("the group is %s with %d members: a static member keeps its place", state, n)
	}
	a = run("a2", "one")
	a.owns(2)
	if after := owned(a); !equalSets(before, after) {
		t.Errorf("the restarted member owns %v, and owned %v", after, before)
	}
	g.release()
	eventually(t, "all are processed", l.done)
	if now := sequencesOf(b); !equalSets(sequences, now) {
		t.Errorf("the other member has other claims: %v, before %v", now, sequences)
	}
	if gone := told[*messages.ClaimRevoked](b); len(gone) > 2 { // of its first two claims of all four
		t.Errorf("the other member gave up %d claims", len(gone))
	}
	a.leave()
	b.leave()
	l.clean(t)
}

// TestStaticLeader: the static member that leads the group, and makes its plan, crashes and is back within its session. It
// has its partitions back, the others' claims are untouched, and partitions that are added are still shared out. A broker
// tells it, up to version 8 of JoinGroup, that its earlier self leads (KIP-814): a client that believes that has a group
// in which nobody looks at the topics any more, until somebody leaves. The broker in this process hides it.
func TestStaticLeader(t *testing.T) {
	t.Parallel() // it waits for the leader to look at the topics
	const partitions, more, each = 4, 6, 40
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	l, o := newLedger(partitions, 3*each), newOwners()
	run := func(name, instance string) *member {
		cfg := k.static(name, group, topic, instance)
		cfg.Hooks = o.hooks(name)
		cfg.Handler = l.keeps(name, nil)
		return start(t, name, cfg)
	}
	committed := func(n int64) func() bool {
		return func() bool {
			at := k.committed(group, topic)
			for p := range int32(partitions) {
				if at[p] != n {
					return false
				}
			}
			return true
		}
	}
	leader := run("leader", "one")
	leader.owns(partitions) // whoever is first leads
	b := run("b", "two")
	b.owns(2)
	leader.owns(2)
	k.fill(topic, partitions, 0, each)
	eventually(t, "a third is committed", committed(each)) // a crash repeats what is not
	before, sequences := owned(leader), sequencesOf(b)

	leader.Kill()
	received(t, leader.ended, "the leader crashes")
	if !errors.Is(leader.result, messages.ErrKilled) {
		t.Errorf("its Run answered %v", leader.result)
	}
	k.fill(topic, partitions, each, 2*each)
	again := run("again", "one")
	again.owns(2)
	if after := owned(again); !equalSets(before, after) {
		t.Errorf("the restarted leader owns %v, and owned %v", after, before)
	}
	eventually(t, "two thirds are committed", committed(2*each))
	if now := sequencesOf(b); !equalSets(sequences, now) {
		t.Errorf("the other member has other claims: %v, before %v", now, sequences)
	}
	if state, n := k.group(group); n != 2 {
		t.Errorf("the group is %s with %d members", state, n)
	}

	for p := int32(partitions); p < more; p++ {
		l.expect(p, 0, 3*each)
	}
	k.grow(topic, more)
	again.owns(more / 2)
	b.owns(more / 2)
	for p := range int32(more) {
		k.produceTo(topic, p, int(l.next(p)), 3*each)
	}
	eventually(t, "all are processed", l.done)
	again.leave()
	b.leave()
	l.clean(t)
}

// TestStaticMemberTooLate: a static member that is away for longer than its session has lost its place. Its partitions go
// to the other member then, and not before; when it comes back, it has a share like anybody else. Nothing is lost.
func TestStaticMemberTooLate(t *testing.T) {
	t.Parallel() // it waits for a session
	const partitions, each = 4, 60
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	l, o := newLedger(partitions, each), newOwners()
	run := func(name, instance string) *member {
		cfg := k.static(name, group, topic, instance)
		cfg.SessionTimeout = 3 * time.Second
		cfg.Hooks = o.hooks(name)
		cfg.Handler = l.keeps(name, nil)
		return start(t, name, cfg)
	}
	a, b := run("a", "one"), run("b", "two")
	a.owns(2)
	b.owns(2)
	k.fill(topic, partitions, 0, each/3)
	eventually(t, "a third is processed", func() bool { return l.count() == partitions*each/3 })
	asked := time.Now()
	a.leave() // it was heard last before that, so the session is counted from then at the latest
	left := time.Now()
	k.fill(topic, partitions, each/3, 2*each/3)
	b.owns(partitions)
	eventually(t, "two thirds are processed", func() bool { return l.count() == 2*partitions*each/3 })
	for p, list := range o.spans {
		if last := list[len(list)-1]; last.member == "b" && last.begin.After(asked) && last.begin.Sub(left) < 3*time.Second-2*heartbeat-left.Sub(asked) {
			t.Errorf("b took partition %d over %v after a was gone, within a's session", p, last.begin.Sub(left))
		}
	}
	a = run("a2", "one")
	a.owns(2)
	b.owns(2)
	k.fill(topic, partitions, 2*each/3, each)
	eventually(t, "all are processed", l.done)
	a.leave()
	b.leave()
	l.clean(t)
	o.twice(t)
}

// owned are the partitions that a member owns.
func owned(m *member) map[int32]bool {
	out := map[int32]bool{}
	for p := range m.partitions() {
		out[p] = true
	}
	return out
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
