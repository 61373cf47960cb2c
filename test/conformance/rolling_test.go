package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
)

// TestThreeNodesRollingRestart: all three nodes are restarted in turn, each in order and when the one before has caught
// up, as an upgrade does it, while records are produced and three members process them. Nothing is lost; no record is
// handled twice by whom it belonged to all the time; no claim is lost. Elsewhere each node is the end of a session: the
// group begins anew, and what was not committed is handled again.
func TestThreeNodesRollingRestart(t *testing.T) {
	threeNodes(t, "all nodes are restarted in turn")
	const partitions, batch = 6, 10
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	l, o := newLedger(partitions, 0), newOwners()
	var members []*member
	for _, name := range []string{"a", "b", "c"} {
		cfg := k.config(name, group, topic)
		cfg.SessionTimeout, cfg.RebalanceTimeout, cfg.HeartbeatInterval = 0, 0, 0 // as everybody has them
		cfg.Hooks = o.hooks(name)
		cfg.Handler = l.keeps(name, func(ctx context.Context, _ *consumer.Record) error { work(ctx.Done(), time.Millisecond); return nil })
		members = append(members, start(t, name, cfg))
	}
	for _, m := range members {
		m.owns(partitions / 3)
	}

	stop, produced := make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		for ; !waits(50*time.Millisecond, func() bool { return closed(stop) }); n += batch {
			k.fill(topic, partitions, n, n+batch)
		}
		produced <- n
	}()
	began := time.Now()
	for node := range int32(3) {
		was := l.count()
		k.restart(node + 1)
		eventually(t, "records flow on", func() bool { return l.count() > was+partitions*batch })
	}
	took := time.Since(began)
	close(stop)
	each := received(t, produced, "the last record is acknowledged")
	l.ends(int64(each))
	eventually(t, "all are processed", l.done)
	for _, m := range members {
		m.leave()
	}
	l.orderly(t)
	duplicates := l.explained(t, o)
	claims := o.twice(t)
	if o.lost > 0 {
		t.Errorf("%d claims were lost: nobody was silent", o.lost)
	}
	for p, at := range k.committed(group, topic) {
		if at != int64(each) {
			t.Errorf("partition %d: %d is committed, want %d", p, at, each)
		}
	}
	t.Logf("restarted in %v: %d records, %d claims, %d duplicates behind a change of owner", took.Round(100*time.Millisecond), l.count(), claims, duplicates)
}

// closed tells whether a channel is.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
