package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

func restarts(int, error) actor.Directive { return actor.RestartDirective }

func isMember(k *kit) bool { return k.Status().Member != "" }

// A record is escalated each time, and the parent restarts its consumer each time. Each join makes the group rebalance: so
// the consumer joins after 1, 2, 4 … s, and once a minute in the end. An incarnation that lasts ends the row.
func TestAConsumerThatFailsAgainAndAgainJoinsLaterAndLater(t *testing.T) {
	b := &boss{decide: restarts}
	cfg := config{Handler: func(context.Context, *messages.Record) error { return errBoom }, Policy: always(supervisor.Escalate())}
	embedded(t, cfg, b, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		for i, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
			expect(t, "failures", len(b.asked()), i+1)
			k.Advance(time.Duration(seconds)*time.Second - 1)
			expect(t, "a member before its time", isMember(k), false)
			k.Advance(1)
			expect(t, "a member", isMember(k), true)
			k.Assign("orders", 0)
		}
		expect(t, "failures", len(b.asked()), 9)
		k.Advance(time.Minute)
		k.Advance(10 * time.Minute) // without a record, and so without a failure
		k.Assign("orders", 0)
		expect(t, "failures", len(b.asked()), 10)
		k.Advance(time.Second)
		expect(t, "a member, 1 s after the first failure in a long time", isMember(k), true)
	})
}

// While it waits it can be ended, at once, and nobody joins any more.
func TestTheEndOfAConsumerThatWaitsToJoin(t *testing.T) {
	for name, end := range map[string]func(k *kit){
		"a pill": func(k *kit) { k.System().Root.Poison(k.PID()) },
		"drain":  func(k *kit) { k.System().Root.Send(k.PID(), &messages.Drain{}) },
		"stop":   func(k *kit) { k.System().Root.Send(k.PID(), &messages.Stop{}) },
		"kill":   func(k *kit) { k.System().Root.Send(k.PID(), &messages.Kill{}) },
	} {
		t.Run(name, func(t *testing.T) {
			b := &boss{decide: restarts}
			embedded(t, config{Handler: consumertest.Script()}, b, func(t *testing.T, k *kit) {
				k.Expel(errors.New("no place for you"))
				end(k)
				k.Advance(0)
				expect(t, "told of the end", len(b.ends()), 1)
				k.Advance(time.Hour)
			})
		})
	}
}

// A restart for another one's failure is no failure of the consumer's own: it joins at once. But it does not end the row of
// those either, nor the pause after one: a parent that restarts two consumers together would have both join at once each time.
func TestARestartForAnotherOnesFailure(t *testing.T) {
	b := &boss{decide: restarts}
	embedded(t, config{Handler: consumertest.Script()}, b, func(t *testing.T, k *kit) {
		another := func() {
			process, _ := k.System().ProcessRegistry.Get(k.PID())
			process.SendSystemMessage(k.PID(), &actor.Restart{})
			k.Advance(0)
		}
		fails := func() { k.Expel(errors.New("no place for you")) }
		fails()
		k.Advance(time.Second)
		another()
		expect(t, "a member", isMember(k), true)
		fails()
		k.Advance(time.Second)
		another()
		expect(t, "a member 1 s after the second failure", isMember(k), false)
		k.Advance(time.Second)
		expect(t, "a member 2 s after the second failure", isMember(k), true)
		for range 3 {
			k.Advance(4 * time.Minute)
			another()
			expect(t, "a member", isMember(k), true)
		}
		fails() // the first in a long time
		k.Advance(time.Second)
		expect(t, "a member 1 s after the first failure in a long time", isMember(k), true)
	})
}
