package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// outage takes the node away that coordinates a group of two, while a record is in flight and the others flow.
type outage struct {
	stopped bool          // by SIGSTOP: it keeps its connections and answers nothing; otherwise it is killed
	rejoin  bool          // a third member's join is in flight, and so a rebalance
	limit   time.Duration // within which commits go on: a cluster needs 9 s to miss a node; the lease ends after 40 s
}

// TestThreeNodesCoordinatorKilled: the node that coordinates a stable group is killed. No claim ends, nothing is lost,
// nothing is handled twice, and commits go on soon. Elsewhere a member that cannot reach its coordinator ends all of its
// claims, and the group begins anew.
func TestThreeNodesCoordinatorKilled(t *testing.T) {
	threeNodes(t, "the node that coordinates the group is killed")
	outage{limit: 30 * time.Second}.run(t)
}

// TestThreeNodesCoordinatorStopped: the same of a node that hangs. Nobody hangs up, so that nobody notices but by a
// deadline of his own; elsewhere the heartbeat waits for 30 s, in which the session is over, and the limit is below
// that. At the end the node wakes, and nobody listens to what it believes.
func TestThreeNodesCoordinatorStopped(t *testing.T) {
	threeNodes(t, "the node that coordinates the group is stopped")
	outage{stopped: true, limit: 28 * time.Second}.run(t)
}

// TestThreeNodesCoordinatorKilledInRejoin: the node is killed while a third member joins. The join goes down with it, and
// is repeated at the next coordinator; the partitions that stay where they are do not notice, and the third member has
// its share.
func TestThreeNodesCoordinatorKilledInRejoin(t *testing.T) {
	threeNodes(t, "the node that coordinates the group is killed")
	outage{rejoin: true, limit: 30 * time.Second}.run(t)
}

// TestThreeNodesCoordinatorStoppedInRejoin: the same of a node that hangs. A join rightly waits for long, for the
// rebalance timeout and more: that nobody will answer this one has to be told by the heartbeats beside it.
func TestThreeNodesCoordinatorStoppedInRejoin(t *testing.T) {
	threeNodes(t, "the node that coordinates the group is stopped")
	outage{stopped: true, rejoin: true, limit: patience}.run(t)
}

func (x outage) run(t *testing.T) {
	const partitions, each = 6, 2500
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each)
	l, o := newLedger(partitions, each), newOwners()
	g := newGate()
	defer g.release()
	run := func(name string) *member {
		cfg := k.config(name, group, topic)
		cfg.SessionTimeout, cfg.RebalanceTimeout, cfg.HeartbeatInterval = 0, 0, 0 // as everybody has them
		cfg.Hooks = o.hooks(name)
		cfg.Handler = l.keeps(name, func(ctx context.Context, rec *consumer.Record) error {
			if rec.Partition == 0 && rec.Offset == 100 {
				<-g.open
			}
			work(ctx.Done(), 4*time.Millisecond)
			return nil
		})
		return start(t, name, cfg)
	}
	members := []*member{run("a"), run("b")}
	for _, m := range members {
		m.owns(partitions / 2)
	}
	others := func(holds func(p int32) bool) bool {
		for p := int32(1); p < partitions; p++ {
			if !holds(p) {
				return false
			}
		}
		return true
	}
	eventually(t, "partition 0 stands, the others move", func() bool {
		return l.next(0) == 100 && others(func(p int32) bool { return l.next(p) > 100 })
	})
	generation := members[0].status().Generation
	ids, claims := map[string]bool{}, map[*member]map[uint64]bool{}
	for _, m := range members {
		ids[m.status().Member], claims[m] = true, sequencesOf(m)
	}

	coordinator := k.coordinator(group)
	if x.rejoin {
		members = append(members, run("c"))
		eventually(t, "the third member's join waits", func() bool { state, _ := k.group(group); return state == "PreparingRebalance" })
	}
	if x.stopped {
		k.suspend(coordinator)
	} else {
		k.kill(coordinator)
	}
	at := map[int32]int64{} // nobody has committed beyond that yet
	for p := range int32(partitions) {
		if at[p] = l.next(p); at[p] >= each {
			t.Fatalf("partition %d was processed before the coordinator was gone", p)
		}
	}
	took := within(t, x.limit, "commits go on", func() bool {
		now, err := k.offsets(group, topic)
		return err == nil && others(func(p int32) bool { return now[p] > at[p] })
	})
	g.release()
	for _, m := range members {
		m.owns(partitions / len(members))
	}
	eventually(t, "all are processed", l.done)
	if x.stopped {
		k.resume(coordinator)
	}
	for _, m := range members {
		s := m.status()
		if lost := told[*messages.ClaimLost](m); len(lost) > 0 {
			t.Errorf("%s lost %d claims: %v", m.name, len(lost), lost[0].Err)
		}
		if claims[m] == nil {
			continue
		}
		for now := range sequencesOf(m) {
			if !claims[m][now] {
				t.Errorf("%s has the claims %v, and had %v before: what stays is untouched", m.name, sequencesOf(m), claims[m])
			}
		}
		if x.rejoin {
			continue
		}
		if s.Generation != generation || !ids[s.Member] {
			t.Errorf("%s is %s in generation %d, want one of %v in generation %d", m.name, s.Member, s.Generation, ids, generation)
		}
		for _, e := range told[*messages.ClaimRevoked](m) {
			if e.Claim.Generation == generation {
				t.Errorf("%s gave up %v", m.name, e.Claim)
			}
		}
	}
	for _, m := range members {
		m.leave()
	}
	l.clean(t)
	o.twice(t)
	for p, at := range k.committed(group, topic) {
		if at != each {
			t.Errorf("partition %d: %d is committed, want %d", p, at, each)
		}
	}
	t.Logf("commits went on %v after the coordinator was gone", took.Round(10*time.Millisecond))
}
