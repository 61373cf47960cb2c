package conformance

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
)

// TestMixedGroup: members of ours, of sarama's ConsumerGroup and, on a real broker, of Kafka's Java client, all
// cooperative-sticky, come and go. Some records take longer than a member needs to join, so that partitions are still
// being given up while the group rebalances. No partition is ever owned by two, and all are owned at the end.
func TestMixedGroup(t *testing.T) {
	alongsideUnlessRaced(t)
	const partitions, each, rounds = 12, 800, 4
	slow := int64(40) // one record of so many is
	if realBrokers() != nil {
		slow = 3 // joins take longer there, and not all records are waited for
	}
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each)
	o, l := newOwners(), newLedger(partitions, each)
	ours := func() *member {
		name := name("ottla")
		cfg := k.config(name, group, topic)
		cfg.Hooks = o.hooks(name)
		cfg.Handler = l.keeps(name, func(ctx context.Context, rec *consumer.Record) error {
			if rec.Offset%slow == 0 {
				work(ctx.Done(), inFlight)
			} else {
				work(ctx.Done(), time.Millisecond)
			}
			return nil
		})
		return start(t, name, cfg)
	}
	var javas []*java
	if realBrokers() != nil { // they handle no records: two come, and one stays for a part of the time only
		for range 2 {
			javas = append(javas, startJava(t, name("java"), k.config("", group, topic), o, k.journal, "cooperative-sticky"))
		}
		eventually(t, "the Java members own partitions", func() bool { return o.all(partitions) })
	}
	stay := ours()
	var members sync.WaitGroup
	for slot := range 4 {
		members.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(slot)))
			pause := func(least, more int) {
				work(t.Context().Done(), time.Duration(least+random.IntN(more))*time.Millisecond)
			}
			for range rounds {
				pause(0, 300)
				if slot%2 == 0 {
					m := ours()
					pause(300, 900)
					m.leave()
					continue
				}
				if m := startPlain(t, name("sarama"), k.config("", group, topic), o, l); m != nil {
					pause(300, 900)
					m.leave()
				}
			}
		})
	}
	if len(javas) > 0 {
		work(t.Context().Done(), time.Second)
		javas[0].leave(t)
	}
	members.Wait()
	eventually(t, "every partition has one owner", func() bool { return o.all(partitions) })
	if len(javas) > 0 {
		javas[1].leave(t)
	}
	eventually(t, "the one that stayed owns all", func() bool {
		for _, owners := range o.now() {
			if len(owners) != 1 || owners[0] != stay.name {
				return false
			}
		}
		return len(o.now()) == partitions
	})
	if realBrokers() == nil {
		eventually(t, "all are processed", l.done)
	}
	stay.leave()
	t.Logf("%d claims, %d records", o.twice(t), l.count())
	for _, f := range l.faults {
		t.Error(f)
	}
	if o.lost > 0 {
		t.Errorf("%d claims were lost: nobody was silent", o.lost)
	}
}

// TestMixedGroupLeaveWhileTheCoordinatorMoves: members leave in the very moment in which the group gets another
// coordinator. None of them is left behind in the group, which would have to wait a session for it.
func TestMixedGroupLeaveWhileTheCoordinatorMoves(t *testing.T) {
	fakeOnly(t, "a real coordinator does not move at a word; TestThreeNodesLeaveWhileTheCoordinatorIsKilled ends its node")
	alongsideUnlessRaced(t)
	const partitions, rounds = 6, 6
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	o := newOwners()
	ours := func() *member {
		name := name("ottla")
		cfg := k.config(name, group, topic)
		cfg.SessionTimeout = 30 * time.Second // a ghost would be seen
		cfg.Hooks = o.hooks(name)
		cfg.Handler = func(context.Context, *consumer.Record) error { return nil }
		return start(t, name, cfg)
	}
	stay := ours()
	stay.owns(partitions)
	for range rounds {
		m := ours()
		m.owns(partitions / 2)
		p := startPlain(t, name("sarama"), k.config("", group, topic), o, newLedger(partitions, 0))
		eventually(t, "three members share the partitions", func() bool {
			share := map[string]int{}
			for _, who := range o.now() {
				for _, w := range who {
					share[w]++
				}
			}
			return len(share) == 3 && o.all(partitions)
		})
		k.fake.RehashCoordinators()
		var both sync.WaitGroup
		both.Go(m.leave)
		both.Go(p.leave)
		k.fake.RehashCoordinators()
		both.Wait()
		within(t, 10*time.Second, "the one that stayed owns all again", func() bool { return len(stay.partitions()) == partitions && o.all(partitions) })
	}
	stay.leave()
	o.twice(t)
	if state, n := k.group(group); n != 0 {
		t.Errorf("the group is %s with %d members at the end", state, n)
	}
}

// TestThreeNodesLeaveWhileTheCoordinatorIsKilled: the node that coordinates the group is killed, and one of two members
// leaves at once. It finds the new coordinator, commits and leaves there: the one that stays owns all and processes all
// long before the session of a member that was left behind would be over, and no record is handled twice.
func TestThreeNodesLeaveWhileTheCoordinatorIsKilled(t *testing.T) {
	threeNodes(t, "the node that coordinates the group is killed")
	const partitions, each, more = 6, 3000, 100
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	o, l := newOwners(), newLedger(partitions, each+more)
	run := func(name string) *member {
		cfg := k.config(name, group, topic)
		cfg.SessionTimeout = 2 * patience // a ghost would be seen
		cfg.RebalanceTimeout, cfg.DrainTimeout = patience, patience
		cfg.Hooks = o.hooks(name)
		cfg.Handler = l.keeps(name, func(ctx context.Context, _ *consumer.Record) error { work(ctx.Done(), time.Millisecond); return nil })
		return start(t, name, cfg)
	}
	stay, leaver := run("stay"), run("leaver")
	stay.owns(partitions / 2)
	leaver.owns(partitions / 2)
	wait := k.flow(topic, partitions, each)
	eventually(t, "both members process records", func() bool {
		return len(l.calls(by("stay"))) > 100 && len(l.calls(by("leaver"))) > 100
	})
	k.kill(k.coordinator(group))
	leaver.leave()
	took := within(t, patience, "the one that stays owns all", func() bool {
		return len(stay.partitions()) == partitions && o.all(partitions)
	})
	wait()
	k.fill(topic, partitions, each, each+more)
	eventually(t, "all are processed", l.done)
	stay.leave()
	l.clean(t)
	o.twice(t)
	if o.lost > 0 {
		t.Errorf("%d claims were lost: nobody was silent", o.lost)
	}
	for p, at := range k.committed(group, topic) {
		if at != each+more {
			t.Errorf("partition %d: %d is committed, want %d", p, at, each+more)
		}
	}
	if state, n := k.group(group); n != 0 {
		t.Errorf("the group is %s with %d members at the end", state, n)
	}
	t.Logf("the one that stays owned all %v after the other one had left", took.Round(10*time.Millisecond))
}
