package consumertest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// question is what a teller asks the checker: how long it is to take, as the record says.
type question struct{ takes string }

// teller asks the checker about each record, with five seconds' patience, and counts what else it is told.
type teller struct {
	checker func() *actor.PID
	others  int
}

func (a *teller) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Record:
		actors.Ask(ctx, m, a.checker(), question{string(m.Value)}, 5*time.Second)
	case *messages.Answer:
		m.Record.Complete(m.Err)
	case chan int:
		a.others++
		m <- a.others
	}
}

// checker takes its time, the first time that it is asked for so much, and asks nobody else.
type checker struct{ asked map[string]bool }

func (c *checker) Receive(ctx actor.Context) {
	q, ok := ctx.Message().(question)
	if !ok {
		return
	}
	if takes, err := time.ParseDuration(q.takes); err == nil && !c.asked[q.takes] {
		c.asked[q.takes] = true
		to, sys := ctx.Sender(), ctx.ActorSystem()
		time.AfterFunc(takes, func() { sys.Root.Send(to, "right") })
		return
	}
	ctx.Respond("right")
}

// An actor of the user's asks another actor of the application: that one replies, replies too late, is not there and comes
// back, and replies while the partition is revoked.
func TestAskAnotherActor(t *testing.T) {
	var pid *actor.PID
	cfg := consumertest.Config{
		Actor: func() actor.Actor { return &teller{checker: func() *actor.PID { return pid }} },
		Policy: supervisor.Policy{
			supervisor.On(supervisor.Is(messages.ErrNoActor), supervisor.Park("nobody checks")),
			supervisor.On(supervisor.Is(messages.ErrNoReply), supervisor.Retry(supervisor.Every(time.Second)).Times(3), supervisor.Park("no reply")),
			supervisor.On(supervisor.Any(), supervisor.Park("unexpected")),
		},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		hire := func() *actor.PID {
			return k.System().Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return &checker{asked: map[string]bool{}} }))
		}
		pid = hire()
		p := k.Assign("payments", 0)
		committed := func(want int64) {
			t.Helper()
			if got := p.Committed(); got != want {
				t.Fatalf("committed %d, want %d", got, want)
			}
		}
		p.Append("2s", "7s", "0s")
		other := make(chan int, 1)
		p.Send(other)
		if n := <-other; n != 1 {
			t.Errorf("another message came %d times", n)
		}
		k.Advance(time.Second)
		committed(-1)
		k.Advance(time.Second)
		committed(1)
		k.Advance(5*time.Second + 500*time.Millisecond) // the second one's time is over, and it is held
		if s := p.Status(); s.State != messages.StateHolding || s.Attempt != 1 {
			t.Errorf("%+v", s)
		}
		k.Advance(time.Second) // asked again, it has its reply; the one to the first question is dropped
		committed(3)
		k.Advance(time.Minute)

		k.System().Root.Stop(pid)
		k.Advance(0) // it has ended: what was still in its hands would be noticed by the timeout only
		p.Append("0s")
		if s := p.Status(); s.State != messages.StateParked || s.Reason != "nobody checks" || !errors.Is(s.Failure.Err, messages.ErrNoActor) {
			t.Errorf("%+v", s)
		}
		pid = hire()
		if err := p.Retry(3); err != nil {
			t.Fatal(err)
		}
		committed(4)

		p.Append("3s", "0s")
		if took := p.Revoke(); took != 3*time.Second {
			t.Errorf("the partition was released after %v", took)
		}
		committed(5)
		if got := p.Offsets(); !slices.Equal(got, []int64{0, 1, 1, 2, 3, 3, 4}) {
			t.Errorf("delivered: %v", got)
		}
	})
}
