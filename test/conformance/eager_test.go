package conformance

import (
	"testing"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer"
)

// TestMixedGroupWithJava: members of ours, of sarama's ConsumerGroup and of Kafka's Java client share a group by each of
// the eager strategies, and by cooperative-sticky with a Java member as it is by default, which lists range before that.
// Each kind leads in its turn: who is first does, and the others when that one has left. Strategies are three
// implementations of one name, which read each other's metadata: where they misread it, partitions have two owners, or
// none. Everybody gets a fair share in every composition, no partition is ever owned by two, and nobody is thrown out.
func TestMixedGroupWithJava(t *testing.T) {
	realOnly(t, "the Java client comes with it; TestMixedGroupRange, TestMixedGroupEager and TestChurnOf show what goes without")
	for name, c := range map[string]struct {
		ours   consumer.Balance
		theirs func() sarama.BalanceStrategy
		java   string // the first one's assignors; default: what ours is called
	}{
		"range":        {consumer.Range, sarama.NewBalanceStrategyRange, ""},
		"roundrobin":   {consumer.RoundRobin, sarama.NewBalanceStrategyRoundRobin, ""},
		"sticky":       {consumer.Sticky, sarama.NewBalanceStrategySticky, ""},
		"Java default": {consumer.CooperativeSticky, sarama.NewBalanceStrategyCooperativeSticky, "range,cooperative-sticky"},
	} {
		t.Run(name, func(t *testing.T) {
			const partitions, each = 6, 50
			k := cluster(t)
			topic := k.topic(partitions)
			group := "g-" + topic
			o, l := newOwners(), newLedger(partitions, each)
			if c.java == "" {
				c.java = c.ours.String()
			}
			ours := func(name string) *member {
				cfg := k.config(name, group, topic)
				cfg.Balance = []consumer.Balance{c.ours}
				cfg.Hooks = o.hooks(name)
				cfg.Handler = l.keeps(name, nil)
				return start(t, name, cfg)
			}
			java := func(name string) *java { return startJava(t, name, k.config("", group, topic), o, k.journal, c.java) }
			share := func(members ...string) {
				t.Helper()
				eventually(t, "the partitions are shared fairly", func() bool {
					has := map[string]int{}
					for _, who := range o.now() {
						for _, w := range who {
							has[w]++
						}
					}
					for _, m := range members {
						if has[m] != partitions/len(members) {
							return false
						}
					}
					return o.all(partitions)
				})
				if now := k.protocol(group); len(members) > 1 && now != "" && now != c.ours.String() {
					t.Errorf("the group of %v uses %q, want %v", members, now, c.ours)
				}
			}

			j := java("java") // leads
			share("java")
			a := ours("a")
			share("java", "a")
			p := startPlain(t, "sarama", k.config("", group, topic), o, l, c.theirs())
			share("java", "a", "sarama")
			j.leave(t) // one of the others leads
			share("a", "sarama")
			j = java("java 2")
			share("a", "sarama", "java 2")
			a.leave()
			share("sarama", "java 2")
			p.leave() // Java leads
			share("java 2")
			b := ours("b")
			share("java 2", "b")
			j.leave(t)
			share("b")
			k.fill(topic, partitions, 0, each)
			eventually(t, "all are processed", l.done)
			b.leave()
			l.clean(t)
			t.Logf("%d claims", o.twice(t))
			if o.lost > 0 {
				t.Errorf("%d claims were lost: nobody was silent", o.lost)
			}
		})
	}
}
