package member

import (
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
)

// A static member that leads restarts. Up to JoinGroup v8 it is told its former id as the leader's, so nobody would
// lead, and nobody would notice that the topic grows.
func TestAStaticLeaderRestartsAndTheTopicGrows(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a, b := scripted(t, c, all, "a", instance("a")), scripted(t, c, all, "b", instance("b"))
		a.await(t, "owns its half", owns(2))
		b.await(t, "owns its half", owns(2))
		calm()
		leader, name := a, "a"
		if strings.HasPrefix(c.Leader(), "b-") {
			leader, name = b, "b"
		}
		leader.leave(t)
		if n := len(c.Members()); n != 2 {
			t.Fatalf("%d members: a static member keeps its place", n)
		}
		again := scripted(t, c, all, name+" again", instance(name))
		again.await(t, "has its half back", owns(2))
		calm()
		c.SetTopic("t", 6)
		took := settled(t, c, all, 30*time.Second)
		if took > 15*time.Second {
			t.Errorf("noticed after %v", took)
		}
		if a.losses()+b.losses()+again.losses() > 0 {
			t.Errorf("lost %v %v %v", a.lost, b.lost, again.lost)
		}
	})
}

// Two processes with one instance id: the later one takes over, and the first one ends with a text that says so.
func TestASecondProcessWithTheSameInstance(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, _ *ownership) {
		// KIP-345: the first learns of it by its next heartbeat, so both own everything for a moment.
		a := scripted(t, c, newOwnership(t), "a", instance("i"))
		a.await(t, "owns all", owns(4))
		calm()
		b := scripted(t, c, newOwnership(t), "b", instance("i"))
		b.await(t, "owns all", owns(4))
		a.await(t, "ends", func(r *recorder) bool { return r.ended != nil })
		if len(a.lost) != 1 || a.count() != 0 {
			t.Errorf("lost %v, owns %d: lost comes before the end", a.lost, a.count())
		}
		if text := a.ended.Error(); !strings.Contains(text, `InstanceID = "i"`) || !strings.Contains(text, "another process") {
			t.Errorf("%q", text)
		}
		joins := c.Requests(membertest.Join)
		time.Sleep(time.Minute)
		if n := c.Requests(membertest.Join); n != joins || b.count() != 4 {
			t.Errorf("%d joins more, b owns %d: the first one must stay away", n-joins, b.count())
		}
	})
}

// A static leader stops while its group rebalances. It stays a member, so nobody else makes the plan: it makes it, and
// the others have their partitions at once, not when the dead leader's session is over.
func TestAStaticLeaderStopsInARebalance(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		ranged := func(o *Options) { o.Strategies = eager() }
		a := scripted(t, c, all, "a", instance("a"), ranged)
		a.await(t, "owns all", owns(4))
		b := scripted(t, c, all, "b", instance("b"), ranged)
		b.await(t, "owns its half", owns(2))
		a.await(t, "owns its half", owns(2))
		calm()
		before := b.revocations()
		b.note(func() { b.hold = 5 * time.Second })
		a.m.Rejoin("a test wants it")
		b.await(t, "gives up", func(r *recorder) bool { return r.revoked > before })
		time.Sleep(time.Second)
		began := time.Now()
		a.leave(t)
		b.await(t, "has its half back", owns(2))
		if took := time.Since(began); took > 6*time.Second || len(c.Members()) != 2 {
			t.Errorf("after %v, %v", took, c)
		}
	})
}

// LeaveStatic leaves the group for good.
func TestAStaticMemberLeavesForGood(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		a := scripted(t, c, all, "a", instance("a"), func(o *Options) { o.LeaveStatic = true })
		a.await(t, "owns all", owns(4))
		a.leave(t)
		if m := c.Members(); len(m) != 0 {
			t.Errorf("members %v", m)
		}
	})
}

// A static member comes back while its group rebalances, and the coordinator dies before the group has its assignment. The
// next one knows the member's earlier id and takes the new one for a stranger's. There is no second process.
func TestAStaticMemberComesBackWhileTheCoordinatorMoves(t *testing.T) {
	x := lay(t, statically).step(start{}).find()
	want[sendSync](x.join("i-2", 4, "l"))
	x.step(synced{seq: seqOf[sendSync](x), sent: x.now, err: sarama.ErrNotCoordinatorForConsumer})
	x.later(50 * time.Millisecond).step(found{seq: seqOf[findCoordinator](x), addr: "d"})
	if a := want[sendJoin](x); a.member != "i-2" {
		t.Errorf("%+v", a)
	}
	out := want[sendHeartbeat](x)
	wantNo[fail](x.step(joined{seq: seqOf[sendJoin](x), err: sarama.ErrFencedInstancedId}))
	if a := want[sendJoin](x.later(100 * time.Millisecond)); a.member != "" {
		t.Errorf("%+v", a)
	}
	wantNo[fail](x.step(beaten{out.seq, x.now, sarama.ErrFencedInstancedId}))
	want[sendSync](x.join("i-3", 5, "l"))
	want[fail](x.step(synced{seq: seqOf[sendSync](x), sent: x.now, err: sarama.ErrFencedInstancedId})) // the same coordinator knows better
}

// Once there was an assignment, every coordinator knows the id: who is not known any more has been replaced.
func TestAStaticMemberIsReplacedWhileTheCoordinatorMoves(t *testing.T) {
	x := lay(t, statically).member(0)
	x.beat(sarama.ErrNotCoordinatorForConsumer)
	x.later(100 * time.Millisecond).step(found{seq: seqOf[findCoordinator](x), addr: "d"})
	want[fail](x.beat(sarama.ErrFencedInstancedId))
}
