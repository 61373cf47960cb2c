package conformance

import (
	"testing"

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

// TestMixedGroupRange: members of ours that list range and members of sarama's ConsumerGroup, whose default that is,
// share a group, whoever leads it. No partition is owned by two, no record of ours is handled twice, and whoever stays
// owns all.
func TestMixedGroupRange(t *testing.T) {
	mixedEagerGroup(t, consumer.Range, sarama.NewBalanceStrategyRange())
}

// TestMixedGroupEager is TestMixedGroupRange with the other two strategies that give up everything in each rebalance.
func TestMixedGroupEager(t *testing.T) {
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
	ours := func(name string) *member {
		cfg := k.config(name, group, topic)
		cfg.Balance = []consumer.Balance{balance}
		cfg.Hooks = o.hooks(name)
		cfg.Handler = l.keeps(name, nil)
		return start(t, name, cfg)
	}
	a := ours("a")
	a.owns(partitions)
	p := startPlain(t, "sarama", k.config("", group, topic), o, l, strategy)
	a.owns(partitions / 2)
	eventually(t, "both own a half", func() bool { return o.all(partitions) })
	k.fill(topic, partitions, 0, each)
	eventually(t, "a third is processed", func() bool { return l.count() == partitions*each })
	b := ours("b")
	b.owns(partitions / 3)
	eventually(t, "all three own a third", func() bool { return o.all(partitions) })
	if now := k.protocol(group); now != balance.String() {
		t.Errorf("the group uses %q, want %v", now, balance)
	}
	k.fill(topic, partitions, each, 2*each)
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
	produced := 0
	for _, step := range steps {
		for slot := range members {
			if old := members[slot]; old != nil {
				old.leave()
			}
			name := name("ottla")
			cfg := k.config(name, group, topic)
			cfg.Balance = step.list
			cfg.Hooks = o.hooks(name)
			cfg.Handler = l.keeps(name, nil)
			members[slot] = start(t, name, cfg)
			for _, m := range members {
				if m != nil && members[1] != nil {
					m.owns(partitions / 2)
				}
			}
			k.fill(topic, partitions, produced, produced+each)
			produced += each
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
