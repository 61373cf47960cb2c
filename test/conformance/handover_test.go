package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// TestStaticMemberDiesInAHandover: a static member is to give a partition up for one that has just joined, crashes before it
// has, and is back within its session. It has its place again without a rebalance, and without that partition; and it is
// the one whose next join would have told the group that the partition is free. The leader asks for the next plan in its
// place, so that the partition has an owner after a rebalance timeout and a reserve. Nothing is lost, and nothing repeated. (The
// broker in this process hides it: it rebalances for a member that comes back with other claims than before, and Kafka does not.)
func TestStaticMemberDiesInAHandover(t *testing.T) {
	t.Parallel() // it waits for the leader's patience
	const partitions, each, limit = 6, 20, 8 * time.Second
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	l, g := newLedger(partitions, each), newGate()
	defer g.release()
	run := func(name, instance string) *member {
		cfg := k.static(name, group, topic, instance)
		cfg.RebalanceTimeout, cfg.DrainTimeout = limit, limit
		cfg.Handler = l.keeps(name, func(ctx context.Context, rec *consumer.Record) error {
			if name == "a" && rec.Offset == each/2 {
				select {
				case <-g.open:
				case <-ctx.Done():
				}
				return ctx.Err()
			}
			return nil
		})
		return start(t, name, cfg)
	}
	leader := run("leader", "one")
	leader.owns(partitions) // whoever is first leads
	a := run("a", "two")
	a.owns(3)
	leader.owns(3)
	k.fill(topic, partitions, 0, each/2)
	eventually(t, "a half is committed", func() bool {
		at := k.committed(group, topic)
		for p := range int32(partitions) {
			if at[p] != each/2 {
				return false
			}
		}
		return true
	})
	k.fill(topic, partitions, each/2, each)
	eventually(t, "a has a record of each partition in flight", func() bool { return len(l.running("a")) == 3 })

	b := run("b", "three")
	eventually(t, "a is to give up a partition", func() bool { return len(a.partitions(messages.StateStopping)) == 1 })
	b.owns(1) // the leader's; so nobody waits for a's join any more, and whoever comes in its place starts no rebalance
	a.Kill()
	received(t, a.ended, "a crashes")
	again := run("again", "two")
	again.owns(2)
	b.owns(2)
	leader.owns(2)
	eventually(t, "all are processed", l.done)
	if gone := told[*messages.ClaimLost](leader); len(gone) > 0 {
		t.Errorf("the leader has lost %d claims", len(gone))
	}
	leader.leave()
	again.leave()
	b.leave()
	l.clean(t)
}
