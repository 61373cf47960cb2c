package supervisor_test

import (
	"context"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// A record fails while the supervisor, in its turn, has all partitions restarted for another one's failure:
//
//  1. Partition 2 fails, and waits. Partition 0 fails, and a strategy restarts all. What listens to that takes 10 s for each.
//  2. The record of partition 1 fails at 5 s: its actor is suspended, and the question waits for the supervisor's turn to end.
//  3. At 10 s that comes to partition 1, and has its actor restarted, and then to partition 2. It ends at 20 s.
//  4. The question was overtaken. It is nobody's, and above all no child's of the fresh actor, which would wait for an answer.
func TestAFailureThatARestartHasOvertaken(t *testing.T) {
	setup := consumertest.Setup{
		Config: config{
			Handler: func(_ context.Context, r *messages.Record) error {
				if r.Partition == 1 && r.Attempt == 0 {
					time.Sleep(5 * time.Second) // in the bubble
				}
				if r.Attempt == 0 {
					return errBoom
				}
				return nil
			},
			Strategy: scripted(func(sup actor.Supervisor, _ *actor.PID, r *messages.Record) {
				if r != nil && r.Partition == 0 {
					sup.RestartChildren(sup.Children()...)
				}
			}),
		},
		Adjust: func(set *supervisor.Settings) {
			event := set.Event
			set.Event = func(e messages.Event) {
				if f, ok := e.(*messages.Failed); ok && f.Failure.Partition != 1 {
					time.Sleep(10 * time.Second) // in the bubble
				}
				if event != nil {
					event(e)
				}
			}
		},
	}
	setup.Run(t, func(t *testing.T, k *kit) {
		p, other, last := k.Assign("orders", 0), k.Assign("orders", 1), k.Assign("orders", 2)
		last.Append("a")
		other.Append("a")
		p.Append("a")
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(other), "0#0/1 0#1/2")
		expect(t, "committed", other.Committed(), 1)
		expect(t, "failures that were decided about", len(other.Failures()), 0)
		expect(t, "told", logged(k, "overtaken by a restart", `partition="1"`, "boom"), true)
	})
}

// The same while the claim is given up: the restart has ended the suspension before it came. It is ended all the same: the record
// that is kept is finished by a message, and the release does not wait for the deadline.
func TestAFailureThatARestartHasOvertakenInARevocation(t *testing.T) {
	var self *actor.PID
	var kept *messages.Record
	cfg := config{Actor: func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *messages.Record:
				self, kept = ctx.Self(), m
				m.Keep()
			case string:
				kept.Complete(nil)
			}
		})
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.StartRevoke(time.Minute)
		for _, say := range []struct {
			to      *actor.PID
			message any
		}{
			{self, &actor.SuspendMailbox{}},
			{k.PID(), &actor.Failure{Who: self, Reason: &actors.Fault{Err: errBoom}}},
		} {
			process, _ := k.System().ProcessRegistry.Get(say.to)
			process.SendSystemMessage(say.to, say.message)
			k.Advance(time.Second)
		}
		k.System().Root.Send(self, "finish")
		k.Advance(time.Second)
		expect(t, "owned", p.Owned(), false)
		expect(t, "committed", p.Committed(), 1)
	})
}
