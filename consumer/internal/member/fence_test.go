package member

import (
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/committer"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// A supervisor that is held up neither releases what it should nor reads that it has lost it. The member goes on with a
// fresh generation, which a handler that ends now could commit under, though the partition has another owner.
func TestAHandlerEndsAfterItsPartitionWasLost(t *testing.T) {
	bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
		commits := func(place *conn.Coordinator, inbox supervisor.Inbox) *committer.Committer {
			cm := committer.New(committer.Settings{Group: "g", Coordinator: place, Inbox: inbox, Version: sarama.V3_6_0_0})
			t.Cleanup(cm.Stop)
			return cm
		}
		var ca *committer.Committer
		a := scriptedBehind(t, c, all, "a", func(place *conn.Coordinator, r supervisor.Inbox) supervisor.Inbox {
			ca = commits(place, r)
			return ca.Fencing(r)
		})
		a.await(t, "owns all", owns(4))
		a.note(func() { a.hold = time.Hour })
		open := map[tp]supervisor.Commits{}
		a.note(func() {
			for p, mc := range a.owned {
				open[p] = ca.Claim(mc)
			}
		})
		calm()
		b := scripted(t, c, all, "b")
		b.await(t, "owns its half", owns(2))
		cb := commits(b.m.options.Coordinator, b)
		var taken []messages.Claim
		b.note(func() {
			for _, mc := range b.owned {
				taken = append(taken, mc)
			}
		})
		for _, mc := range taken {
			cb.Claim(mc).Commit(actors.Progress{Next: 80}, true, nil)
			time.Sleep(time.Second)
			open[tp{mc.Topic, mc.Partition}].Commit(actors.Progress{Next: 10}, true, nil)
			time.Sleep(time.Second)
			if o, _ := c.Committed(mc.Topic, mc.Partition); o.Next != 80 || o.Member != b.m.Identity().Member {
				t.Errorf("its owner had committed 80, and now it is %d by %s", o.Next, o.Member)
			}
		}
		if !a.m.Identity().Valid() || len(taken) != 2 {
			t.Errorf("a is %+v, b has %v", a.m.Identity(), taken)
		}
	})
}
