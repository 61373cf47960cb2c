package conformance

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
)

// protocol is the strategy that a group uses, as its coordinator says; "" while it has none.
func (k *kafka) protocol(group string) string {
	k.t.Helper()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = append(req.Groups, group)
	resp := ask[*kmsg.DescribeGroupsResponse](k, req)
	if len(resp.Groups) == 0 || resp.Groups[0].State != "Stable" {
		return ""
	}
	return resp.Groups[0].Protocol
}

// inFlight is how long records take while a group rebalances: longer than the others need to join, and to be given what its
// member has not given up yet.
const inFlight = 300 * time.Millisecond

// slowly takes its time for a record while slow says so.
func slowly(slow *atomic.Bool) consumer.Handler {
	return func(ctx context.Context, _ *consumer.Record) error {
		if slow.Load() {
			work(ctx.Done(), inFlight)
		}
		return nil
	}
}

// TestMixedGroupRange: members of ours that list range and members of sarama's ConsumerGroup, whose default that is,
// share a group, whoever leads it, and rebalance while records are in flight. No partition is owned by two, no record of
// ours is handled twice, and whoever stays owns all.
func TestMixedGroupRange(t *testing.T) {
	alongsideUnlessRaced(t)
	mixedEagerGroup(t, consumer.Range, sarama.NewBalanceStrategyRange())
}

// TestMixedGroupEager is TestMixedGroupRange with the other two strategies that give up everything in each rebalance.
func TestMixedGroupEager(t *testing.T) {
	alongsideUnlessRaced(t)
	t.Run("roundrobin", func(t *testing.T) { mixedEagerGroup(t, consumer.RoundRobin, sarama.NewBalanceStrategyRoundRobin()) })
	t.Run("sticky", func(t *testing.T) { mixedEagerGroup(t, consumer.Sticky, sarama.NewBalanceStrategySticky()) })
}

func mixedEagerGroup(t *testing.T, balance consumer.Balance, strategy sarama.BalanceStrategy) {
	t.Helper()
	const partitions, each = 6, 300
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	o, l := newOwners(), newLedger(partitions, 3*each)
	var slow atomic.Bool
	ours := func(name string) *member {
		cfg := k.config(name, group, topic)
		cfg.Balance = []consumer.Balance{balance}
		cfg.Hooks = o.hooks(name)
		cfg.Handler = l.keeps(name, slowly(&slow))
		return start(t, name, cfg)
	}
	a := ours("a")
	a.owns(partitions)
	busy := func(from, owned int) { // a has a record of each of its partitions in flight
		t.Helper()
		slow.Store(true)
		k.fill(topic, partitions, from, from+each)
		eventually(t, "a is busy", func() bool { return len(l.running("a")) == owned })
	}
	busy(0, partitions)
	p := startPlain(t, "sarama", k.config("", group, topic), o, l, strategy)
	a.owns(partitions / 2)
	eventually(t, "both own a half", func() bool { return o.all(partitions) })
	slow.Store(false)
	eventually(t, "a third is processed", func() bool { return l.count() == partitions*each })
	busy(each, partitions/2)
	b := ours("b")
	b.owns(partitions / 3)
	eventually(t, "all three own a third", func() bool { return o.all(partitions) })
	slow.Store(false)
	if now := k.protocol(group); now != balance.String() {
		t.Errorf("the group uses %q, want %v", now, balance)
	}
	eventually(t, "two thirds are processed", func() bool { return l.count() == 2*partitions*each })
	a.leave() // it leads
	b.owns(partitions / 2)
	p.leave()
	b.owns(partitions)
	k.fill(topic, partitions, 2*each, 3*each)
	eventually(t, "all are processed", l.done)
	b.leave()
	l.orderly(t) // sarama's member may not have committed its last records
	o.twice(t)
	if o.lost > 0 {
		t.Errorf("%d claims were lost: nobody was silent", o.lost)
	}
}

// TestStrategiesChangeWhileRunning: a group goes from range to cooperative-sticky member by member, as [consumer.Balance]
// tells: with the new one listed before the old one, then with the old one dropped; and back by the same steps. It never
// stops, no record is lost or handled twice, and no partition is owned by two.
func TestStrategiesChangeWhileRunning(t *testing.T) {
	alongsideUnlessRaced(t)
	const partitions, each = 6, 100
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	o := newOwners()
	steps := []struct {
		list []consumer.Balance
		uses string // once both members list that
	}{
		{[]consumer.Balance{consumer.Range}, "range"},
		{[]consumer.Balance{consumer.CooperativeSticky, consumer.Range}, "cooperative-sticky"},
		{[]consumer.Balance{consumer.CooperativeSticky}, "cooperative-sticky"},
		{[]consumer.Balance{consumer.CooperativeSticky, consumer.Range}, "cooperative-sticky"},
		{[]consumer.Balance{consumer.Range}, "range"},
	}
	l := newLedger(partitions, 2*len(steps)*each)
	var members [2]*member
	var slow atomic.Bool
	produced := 0
	for _, step := range steps {
		for slot := range members {
			slow.Store(true)
			k.fill(topic, partitions, produced, produced+each)
			produced += each
			if other := members[1-slot]; other != nil {
				eventually(t, "the other one is busy", func() bool { return len(l.running(other.name)) > 0 })
			}
			if old := members[slot]; old != nil {
				old.leave()
			}
			name := name("ottla")
			cfg := k.config(name, group, topic)
			cfg.Balance = step.list
			cfg.Hooks = o.hooks(name)
			cfg.Handler = l.keeps(name, slowly(&slow))
			members[slot] = start(t, name, cfg)
			for _, m := range members {
				if m != nil && members[1] != nil {
					m.owns(partitions / 2)
				}
			}
			slow.Store(false)
			eventually(t, "what has been produced is processed", func() bool { return l.count() == partitions*produced })
		}
		if now := k.protocol(group); now != step.uses {
			t.Errorf("with %v the group uses %q, want %q", step.list, now, step.uses)
		}
	}
	for _, m := range members {
		m.leave()
	}
	l.clean(t)
	o.twice(t)
	if o.lost > 0 {
		t.Errorf("%d claims were lost: nobody was silent", o.lost)
	}
}
