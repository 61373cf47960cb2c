package supervisor_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// A failed commit is an event, a counter and a line that says what it risks. Nothing waits for it.
func TestACommitThatFails(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		k.FailCommits(3, errBoom)
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 2#0/1")
		expect(t, "committed", p.Committed(), -1)
		expect(t, "state", p.Status().State, messages.StateIdle)
		k.Advance(time.Minute)
		expect(t, "committed", p.Committed(), 3)
		s := p.Status()
		expect(t, "commits failed", s.Counters.CommitsFailed, 3)
		expect(t, "committed in the status", s.Committed, 3)
		expect(t, "handled", s.Counters.Handled, 3)
		e := eventsOf[*messages.CommitFailed](k)
		if len(e) != 3 || e[0].Claim != p.Claim() || !errors.Is(e[0].Err, errBoom) || e[0].Final {
			t.Errorf("events %+v", e)
		}
		if !logged(k, "handled again", "no progress", `topic="orders"`, `error="boom"`) {
			t.Error("the risk is not in the log")
		}
	})
}

// With CommitEach the next record waits for the commit of the last one; only that partition does.
func TestCommitEachWaitsForTheCommit(t *testing.T) {
	setup := consumertest.Setup{
		Config: config{Handler: consumertest.Script()},
		Adjust: func(set *supervisor.Settings) { set.Each = true },
	}
	setup.Run(t, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		k.CommitTime(time.Second)
		p.Append("a", "b", "c")
		expect(t, "deliveries", attempts(p), "0#0/1")
		expect(t, "state", p.Status().State, messages.StateBusy)
		k.FailCommits(1, errBoom)
		k.Advance(1100 * time.Millisecond) // acknowledged after 1 s; the next one's commit fails, and is tried again
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1")
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 2#0/1")
		var next []int64
		for _, c := range p.Commits() {
			next = append(next, c.Next)
		}
		expect(t, "commits", fmt.Sprint(next), "[1 2 3]")
	})
}

// A claim that ends with CommitEach while a commit is under way.
func TestCommitEachAndARevocation(t *testing.T) {
	setup := consumertest.Setup{
		Config: config{Handler: consumertest.Script()},
		Adjust: func(set *supervisor.Settings) { set.Each = true },
	}
	setup.Run(t, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		k.CommitTime(time.Second)
		p.Append("a", "b")
		expect(t, "release took", p.RevokeWithin(10*time.Second), time.Second)
		expect(t, "committed", p.Committed(), 1)
		expect(t, "deliveries", attempts(p), "0#0/1")
	})
}

// listener subscribes to a consumer.
func listener(k *kit) (pid *actor.PID, got *book) {
	got = &book{}
	pid = k.System().Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if e, ok := ctx.Message().(messages.Event); ok {
			got.add("%s", strings.TrimPrefix(fmt.Sprintf("%T", e), "*messages."))
		}
	}))
	k.System().Root.RequestWithCustomSender(k.PID(), &messages.Subscribe{}, pid)
	return pid, got
}

// Names are unique in a process only: a subscriber elsewhere that has the same one takes nobody's place.
func TestSubscribersOfOneNameAreTold(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		one, first := listener(k)
		twin := actor.NewPID("elsewhere:1", one.Id)
		k.System().ProcessRegistry.RegisterAddressResolver(func(*actor.PID) (actor.Process, bool) { return nil, false })
		k.System().Root.RequestWithCustomSender(k.PID(), &messages.Subscribe{}, twin)
		k.Assign("orders", 0)
		expect(t, "first", first.String(), "ClaimAssigned")
	})
}

func TestEventsGoToWhoeverHasSubscribed(t *testing.T) {
	cfg := config{Handler: failOn(0, 1, consumertest.Fail(errBoom)), Policy: always(supervisor.Park("look"))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		one, first := listener(k)
		_, second := listener(k)
		k.Tell(&messages.Subscribe{}) // without a sender: nobody to tell
		p := k.Assign("orders", 0)
		p.Append("a")
		want := "ClaimAssigned, Failed, Parked"
		expect(t, "first", first.String(), want)
		expect(t, "second", second.String(), want)
		k.System().Root.Stop(one)
		k.Advance(0)
		if err := p.Retry(0); err != nil {
			t.Fatal(err)
		}
		p.Revoke()
		expect(t, "first, which has stopped", first.String(), want)
		expect(t, "second", second.String(), "ClaimAssigned, ClaimRevoked, Failed, Parked, Unparked")
	})
}

func TestEventsGoToTheSettingsToo(t *testing.T) {
	got := &book{}
	setup := consumertest.Setup{
		Config: config{Handler: consumertest.Script()},
		Adjust: func(set *supervisor.Settings) {
			set.Event = func(e messages.Event) { got.add("%T", e) }
		},
	}
	setup.Run(t, func(t *testing.T, k *kit) {
		k.Assign("orders", 0).Revoke()
		expect(t, "events", got.String(), "*messages.ClaimAssigned, *messages.ClaimRevoked")
	})
}
