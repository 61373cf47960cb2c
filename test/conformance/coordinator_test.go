package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// TestThreeNodesCoordinatorKilled: the node that coordinates a stable group is killed while a record is in flight. No
// claim ends, nothing is lost, nothing is handled twice, and commits go on within 20 s, of which a cluster needs
// nine to miss the node.
func TestThreeNodesCoordinatorKilled(t *testing.T) {
	threeNodes(t, "the node that coordinates the group is killed")
	const partitions, each = 4, 4000
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each)
	l := newLedger(partitions, each)
	g := newGate()
	defer g.release()
	run := func(name string) *member {
		cfg := k.config(name, group, topic)
		cfg.SessionTimeout, cfg.RebalanceTimeout, cfg.HeartbeatInterval = 30*time.Second, time.Minute, 3*time.Second
		cfg.Handler = l.keeps(name, func(ctx context.Context, rec *consumer.Record) error {
			if rec.Partition == 0 && rec.Offset == 100 {
				<-g.open
			}
			work(ctx.Done(), 4*time.Millisecond)
			return nil
		})
		return start(t, name, cfg)
	}
	a, b := run("a"), run("b")
	a.owns(partitions / 2)
	b.owns(partitions / 2)
	eventually(t, "partition 0 stands, the others move", func() bool {
		return l.next(0) == 100 && l.next(1) > 100 && l.next(2) > 100 && l.next(3) > 100
	})
	generation := a.status().Generation
	members := map[string]bool{a.status().Member: true, b.status().Member: true}
	claims := map[*member]map[uint64]bool{a: sequencesOf(a), b: sequencesOf(b)}
	k.kill(k.coordinator(group))
	at := map[int32]int64{} // nobody has committed beyond that yet
	for p := range int32(partitions) {
		if at[p] = l.next(p); at[p] >= each {
			t.Fatalf("partition %d was processed before the coordinator was killed", p)
		}
	}
	took := within(t, 20*time.Second, "commits go on", func() bool {
		now, err := k.offsets(group, topic)
		return err == nil && now[1] > at[1] && now[2] > at[2] && now[3] > at[3]
	})
	g.release()
	eventually(t, "all are processed", l.done)
	for _, m := range []*member{a, b} {
		s := m.status()
		if now := sequencesOf(m); len(now) != partitions/2 || !equalSets(claims[m], now) {
			t.Errorf("%s has the claims %v, and had %v before", m.name, now, claims[m])
		}
		if s.Generation != generation || !members[s.Member] {
			t.Errorf("%s is %s in generation %d, want one of %v in generation %d", m.name, s.Member, s.Generation, members, generation)
		}
		if lost := told[*messages.ClaimLost](m); len(lost) > 0 {
			t.Errorf("%s lost %d claims: %v", m.name, len(lost), lost[0].Err)
		}
		for _, e := range told[*messages.ClaimRevoked](m) {
			if e.Claim.Generation == generation {
				t.Errorf("%s gave up %v", m.name, e.Claim)
			}
		}
	}
	a.leave()
	b.leave()
	l.clean(t)
	for p, at := range k.committed(group, topic) {
		if at != each {
			t.Errorf("partition %d: %d is committed, want %d", p, at, each)
		}
	}
	t.Logf("commits went on %v after the coordinator was killed", took.Round(10*time.Millisecond))
}
