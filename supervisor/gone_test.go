package supervisor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

var errGone = &supervisor.GoneError{Topic: "orders", Err: errBoom}

// A topic was deleted: its claim's last offset cannot be committed, and nobody will miss it. The release does not wait, and
// what is told does not say that something may be handled again.
func TestARevocationOfAPartitionThatWasDeleted(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		k.FailCommits(-1, errGone)
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		if took := p.RevokeWithin(10 * time.Second); took > time.Second {
			t.Errorf("release took %v", took)
		}
		all := eventsOf[*messages.CommitFailed](k)
		if last := all[len(all)-1]; !last.Final || last.Next != 2 || !errors.Is(last.Err, errBoom) {
			t.Errorf("told %+v", last)
		}
		if !logged(k, "was not committed, because its partition was deleted", `topic="orders"`, `partition="0"`, `next="2"`, "orders/0 does not exist") {
			t.Error("not in the log")
		}
		if logged(k, "could not be committed") || logged(k, "by the next owner") {
			t.Error("the log says that something may be handled again")
		}
	})
}

// A drain that could not commit for a deleted partition is a clean one: nothing comes again.
func TestADrainAfterAPartitionWasDeleted(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		k.FailCommits(-1, errGone)
		k.Assign("orders", 0).Append("a")
		if err := k.Drain(); err != nil {
			t.Errorf("drained: %v", err)
		}
		if k.Now() > time.Second {
			t.Errorf("took %v", k.Now())
		}
	})
}
