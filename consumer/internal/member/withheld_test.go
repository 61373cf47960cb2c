package member

import (
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
)

// In a cooperative group a partition changes hands in two plans (KIP-429): the first keeps it from its next owner, because
// another member claims it.
func TestWhatAPlanWithholds(t *testing.T) {
	for what, x := range map[string]struct {
		owned map[string][]tp
		want  bool
	}{
		"its owner is to give it up":      {map[string][]tp{"a": parts(0, 1, 2, 3), "b": nil}, true},
		"its owner has given it up":       {map[string][]tp{"a": parts(0, 1), "b": nil}, false},
		"everybody keeps what he has":     {map[string][]tp{"a": parts(0, 1), "b": parts(2, 3)}, false},
		"a partition that does not exist": {map[string][]tp{"a": parts(0, 9), "b": parts(2, 3)}, false},
	} {
		members := map[string]sarama.ConsumerGroupMemberMetadata{}
		for id, tps := range x.owned {
			members[id] = sarama.ConsumerGroupMemberMetadata{Version: 2, Topics: []string{"t"}, OwnedPartitions: byTopic(tps), GenerationID: 1}
		}
		s := newAssignors([]sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}, quiet)
		a := makePlan{protocol: sarama.CooperativeStickyBalanceStrategyName, generation: 2}
		if _, withheld, err := s.divide(a, members, map[string][]int32{"t": {0, 1, 2, 3}}); err != nil || withheld != x.want {
			t.Errorf("%s: withheld %v, %v", what, withheld, err)
		}
	}
}

// leads brings the table to a stable leader whose plan withholds partitions, or does not.
func (x *table) leads(generation int32, withheld bool) *table {
	x.t.Helper()
	x.join("m", generation, "m").step(planned{seq: seqOf[makePlan](x), withheld: withheld})
	return x.sync(0)
}

// idle lets time pass, with heartbeats that are answered by err, until a join is sent, and answers how long that took.
func (x *table) idle(limit time.Duration) (took time.Duration, joins bool) {
	x.t.Helper()
	began := x.now
	for range 10_000 {
		if _, joins := got[sendJoin](x); joins || x.now.mono-began.mono > limit {
			return x.now.mono - began.mono, joins
		}
		if x.m.beat != 0 {
			x.step(beaten{seqOf[sendHeartbeat](x), x.now, nil})
			continue
		}
		x.later(max(x.now.until(x.m.next()), 0))
	}
	x.t.Fatalf("a hot loop, %v after it began", x.now.mono-began.mono)
	return 0, false
}

// The plan keeps partitions from their next owners, and the generation stands for longer than anybody may take to give
// them up. The leader asks for the next plan; while plans go on to withhold, at growing distances.
func TestALeaderWhosePlanWithholdsAsksAgain(t *testing.T) {
	x := lay(t).step(start{}).find().leads(1, true)
	const first = 68 * time.Second // 60 s and the reserve of 8 s
	for i, want := range []time.Duration{first, 2 * first, 4 * first, 8 * first, 16 * first, 16 * first} {
		took, joins := x.idle(time.Hour)
		if !joins || took != want {
			t.Fatalf("the %d. join after %v (%v), want %v", i+1, took, joins, want)
		}
		x.leads(int32(i)+2, true)
	}
	x.step(rejoin{"a test wants it"}).leads(10, false)
	if took, joins := x.idle(2 * time.Hour); joins {
		t.Errorf("a join after %v, and nothing is withheld", took)
	}
	x.step(rejoin{"a test wants it"}).leads(11, true)
	if took, joins := x.idle(time.Hour); !joins || took != 68*time.Second {
		t.Errorf("a join after %v (%v): it begins anew", took, joins)
	}
}

// Nobody asks whose business it is not: a follower, also one that has led before; a leader that stops; and a leader whose
// group has rebalanced meanwhile, as it does when partitions were given up.
func TestNobodyElseAsks(t *testing.T) {
	x := lay(t).step(start{}).find().leads(1, true)
	x.beat(sarama.ErrRebalanceInProgress).join("m", 2, "l").sync(0)
	if took, joins := x.idle(time.Hour); joins {
		t.Errorf("a follower joins after %v", took)
	}
	x.step(rejoin{"a test wants it"}).leads(3, true)
	x.idle(time.Hour)
	x.join("m", 4, "l").sync(0)
	if took, joins := x.step(rejoin{"a test wants it"}).leads(5, true).idle(time.Hour); !joins || took != 68*time.Second {
		t.Errorf("a join after %v (%v): of another leader's plans it knows nothing", took, joins)
	}
	x = lay(t).step(start{}).find().leads(1, true)
	x.later(30*time.Second).beat(sarama.ErrRebalanceInProgress).leads(2, true)
	if took, joins := x.idle(time.Hour); !joins || took != 68*time.Second {
		t.Errorf("a join after %v (%v), of a generation that is 68 s old at the end", took, joins)
	}
	x = lay(t, statically).step(start{}).find().leads(1, true)
	x.step(stop{})
	if took, joins := x.idle(10 * time.Minute); joins {
		t.Errorf("one that stops joins after %v", took)
	}
}

// A static member dies while it gives a partition up for another one, and is back within its session: it has its place
// again at once, without what it was to give up, and is the one who would have asked for the next plan. The partition has
// an owner soon.
func TestAStaticMemberDiesWhileItGivesUp(t *testing.T) {
	bubble(t, 6, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		leader := scripted(t, c, all, "l", instance("l"))
		leader.await(t, "owns all", owns(6))
		a := scripted(t, c, all, "a", instance("a"))
		a.await(t, "owns its half", owns(3))
		leader.await(t, "owns its half", owns(3))
		calm()
		before := a.revocations()
		a.note(func() { a.hold = 30 * time.Second })
		b := scripted(t, c, all, "b", instance("b"))
		a.await(t, "gives up", func(r *recorder) bool { return r.revoked > before })
		b.await(t, "owns what the leader had", owns(1))
		time.Sleep(10 * time.Second)
		a.m.Close()
		a.vanish()
		again := scripted(t, c, all, "a again", instance("a"))
		again.await(t, "has its place", owns(2))
		if took := settled(t, c, all, 5*time.Minute); took > 70*time.Second {
			t.Errorf("all owned after %v", took)
		}
		b.await(t, "owns its third", owns(2))
		generation := c.Generation()
		time.Sleep(time.Hour)
		if n := c.Generation() - generation; n > 0 || leader.losses()+b.losses()+again.losses() > 0 {
			t.Errorf("%d generations more, lost %v %v %v", n, leader.lost, b.lost, again.lost)
		}
	})
}
