package consumertest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

type delivery = consumertest.Delivery

var errDown = errors.New("downstream is down")

func TestDeliversAndCommits(t *testing.T) {
	cfg := consumer.Config{Handler: consumertest.Script()}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		orders := k.Assign("orders", 0)
		if got := orders.Committed(); got != -1 {
			t.Errorf("committed %d before the first record", got)
		}
		orders.Append("a", "b", "c")
		if got := orders.Offsets(); !slices.Equal(got, []int64{0, 1, 2}) {
			t.Errorf("delivered %v", got)
		}
		if got := orders.Committed(); got != 3 {
			t.Errorf("committed %d, want 3", got)
		}
		if s := orders.Status(); s.State != messages.StateIdle || s.Lag != 0 || s.Committed != 3 || s.Counters.Handled != 3 {
			t.Errorf("status %+v", s)
		}
		if err := k.Drain(); err != nil {
			t.Errorf("drain: %v", err)
		}
		if got := k.Status().Phase; got != "stopped" {
			t.Errorf("phase %s after the drain", got)
		}
	})
}

func TestDefaultDelaysTakeNoTime(t *testing.T) {
	began := time.Now()
	cfg := consumer.Config{Handler: consumertest.Script(
		consumertest.Fail(errDown), consumertest.Fail(errDown), consumertest.Fail(errDown), consumertest.Fail(errDown), consumertest.Fail(errDown))}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("x")
		k.Advance(3 * time.Hour)
		s := time.Second
		want := []delivery{
			{0, 0, 1, 0}, {0, 1, 1, 10 * s}, {0, 2, 1, 110 * s}, {0, 3, 1, 1110 * s}, {0, 4, 1, 4710 * s}, {0, 5, 1, 8310 * s},
		}
		if got := p.Deliveries(); !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("three virtual hours took %v", took)
	}
}

// counting is an actor with state: its incarnation shows whether the state is fresh.
type counting struct {
	seen  int
	last  *messages.Assigned
	onRec func(c *counting, ctx actor.Context, r *messages.Record)
}

func (c *counting) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Assigned:
		c.last = m
	case *messages.Record:
		c.seen++
		c.onRec(c, ctx, m)
	}
}

func TestIncarnationsOfAnActor(t *testing.T) {
	var states []int
	cfg := consumer.Config{
		Actor: func() actor.Actor {
			return &counting{onRec: func(c *counting, _ actor.Context, r *messages.Record) {
				states = append(states, c.seen)
				if r.Offset == 1 && r.Attempt == 0 {
					panic("once")
				}
				r.Complete(nil)
			}}
		},
		Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Restart(supervisor.Backoff{Base: time.Second, Factor: 1}))},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		k.Advance(time.Minute)
		want := []delivery{{0, 0, 1, 0}, {1, 0, 1, 0}, {1, 1, 2, time.Second}, {2, 0, 2, time.Second}}
		if got := p.Deliveries(); !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		if want := []int{1, 2, 1, 2}; !slices.Equal(states, want) {
			t.Errorf("states %v, want %v: a restart is fresh", states, want)
		}
	})
}

// strategic decides about its own children: wrapped for the kit it must still be asked.
type strategic struct {
	actor.SupervisorStrategy
	child *actor.PID
}

func (s *strategic) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.child = ctx.Spawn(actor.PropsFromFunc(func(c actor.Context) {
			if _, ok := c.Message().(string); ok {
				panic("child")
			}
		}))
	case *messages.Record:
		ctx.Send(s.child, "fail")
		m.Complete(nil)
	}
}

func TestAnActorThatIsAStrategyStaysOne(t *testing.T) {
	asked := make(map[any]int)
	cfg := consumer.Config{Actor: func() actor.Actor {
		return &strategic{SupervisorStrategy: actor.NewOneForOneStrategy(10, time.Second, func(reason any) actor.Directive {
			asked[reason]++
			return actor.StopDirective
		})}
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		if asked["child"] != 1 {
			t.Errorf("asked %v", asked)
		}
		if f := p.Failures(); len(f) > 0 {
			t.Errorf("the child's failure reached the supervisor: %v", f[0].Failure.Err)
		}
	})
}

func TestTheNextOwnerBeginsWhereTheLastOneCommitted(t *testing.T) {
	cfg := consumer.Config{Handler: func(_ context.Context, r *consumer.Record) error {
		if r.Offset == 1 && r.Attempt < 2 {
			return errDown
		}
		return nil
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		first := k.Assign("orders", 0)
		first.Append("a", "b", "c")
		if took := first.Revoke(); took > 0 {
			t.Errorf("the backoff held the revocation up for %v", took)
		}
		commits := first.Commits()
		if last := commits[len(commits)-1]; last.Next != 1 || last.Attempt != 1 || !strings.HasPrefix(last.Metadata, "ottla1:") {
			t.Errorf("last commit %+v", last)
		}
		second := k.Assign("orders", 0)
		k.Advance(time.Hour)
		want := []delivery{{1, 1, 1, 0}, {1, 2, 1, 100 * time.Second}, {2, 0, 1, 100 * time.Second}}
		if got := second.Deliveries(); !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		if got := first.Offsets(); !slices.Equal(got, []int64{0, 1}) {
			t.Errorf("the first claim got %v", got)
		}
	})
}

func TestOptions(t *testing.T) {
	cfg := consumer.Config{Handler: consumertest.Script()}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0, consumertest.From(42), consumertest.Attempts(3))
		p.Append("a", "b")
		if got, want := p.Deliveries(), []delivery{{42, 3, 1, 0}, {43, 0, 1, 0}}; !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		parked := k.Assign("orders", 1, consumertest.LogStart(7), consumertest.Parked("broken customer"))
		parked.Append("a")
		if s := parked.Status(); s.State != messages.StateParked || s.Reason != "broken customer" || s.Head != 7 {
			t.Errorf("status %+v", s)
		}
		if err := parked.Retry(7); err != nil {
			t.Errorf("un-park: %v", err)
		}
		if got, want := parked.Deliveries(), []delivery{{7, 1, 1, 0}}; !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestLogsWithHoles(t *testing.T) {
	cfg := consumer.Config{Handler: consumertest.Script()}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		recs := p.AppendRecords(
			&consumer.Record{Key: []byte("k"), Headers: []messages.Header{{Key: "h", Value: []byte("v")}}},
			&consumer.Record{Offset: 10}, &consumer.Record{})
		p.Hole(5)
		if got := p.Offsets(); !slices.Equal(got, []int64{0, 10, 11}) {
			t.Errorf("delivered %v", got)
		}
		if recs[2].Offset != 11 || recs[2].Topic != "orders" || recs[2].Time.IsZero() {
			t.Errorf("produced %+v", recs[2])
		}
		if s := p.Status(); s.Head != 12 || s.Lag != 5 || p.Committed() != 12 {
			t.Errorf("head %d, lag %d, committed %d: markers at the end do not move what is done", s.Head, s.Lag, p.Committed())
		}
	})
}

func TestTheSourceRespectsRoom(t *testing.T) {
	cfg := consumer.Config{
		Handler: consumertest.Script(consumertest.Block()),
		Backlog: consumer.Backlog{Bytes: 3000, TotalBytes: 1 << 20},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append(slices.Repeat([]string{strings.Repeat("x", 744)}, 100)...) // 1000 B each
		if s := p.Status(); s.Depth > 4 || s.Depth < 3 || s.Lag != 100 {
			t.Errorf("depth %d: the bound is 3 records", s.Depth)
		}
		if n := p.Release(); n != 1 {
			t.Errorf("released %d handlers", n)
		}
		if got := p.Committed(); got != 100 {
			t.Errorf("committed %d", got)
		}
	})
}

func TestCommitsThatFail(t *testing.T) {
	cfg := consumer.Config{Handler: consumertest.Script()}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		k.FailCommits(2, errDown)
		p.Append("a")
		if got := p.Committed(); got != -1 {
			t.Errorf("committed %d", got)
		}
		k.Advance(time.Second)
		if got := p.Committed(); got != 1 {
			t.Errorf("committed %d", got)
		}
		if got := p.Status().Counters.CommitsFailed; got != 2 {
			t.Errorf("%d failures counted", got)
		}
	})
}

func TestLose(t *testing.T) {
	var cause error
	cfg := consumer.Config{Handler: func(ctx context.Context, r *consumer.Record) error {
		err := consumertest.UntilCancelled()(ctx, r)
		cause = err
		return err
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.Lose(errDown)
		if !errors.Is(cause, messages.ErrLost) {
			t.Errorf("the context ended with %v", cause)
		}
		if p.Owned() || p.Committed() != -1 {
			t.Errorf("owned %v, committed %d", p.Owned(), p.Committed())
		}
	})
}

func TestStoreInMemory(t *testing.T) {
	store := &consumertest.Store{}
	store.Set("orders", 0, 2)
	cfg := consumer.Config{
		Handler: func(_ context.Context, r *consumer.Record) error { return store.Save(r) },
		Offsets: consumer.Offsets{Store: store, Start: consumer.Earliest},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		other := k.Assign("orders", 1) // unknown to the store
		other.Append("x")
		k.Produce("orders", 0, "a", "b", "c")
		p := k.Assign("orders", 0)
		if got := p.Offsets(); !slices.Equal(got, []int64{2}) {
			t.Errorf("delivered %v, want from 2 on", got)
		}
		if store.Next("orders", 0) != 3 || store.Next("orders", 1) != 1 {
			t.Errorf("store: %v", store)
		}
		if p.Committed() != -1 {
			t.Errorf("committed %d to Kafka", p.Committed())
		}
	})
}

// shop is an application's actor with a consumer below it.
type shop struct {
	consumer *actor.Props
	pid      *actor.PID
	ended    int
}

func (s *shop) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		s.pid = ctx.Spawn(s.consumer)
	case *actor.Terminated:
		s.ended++
	}
}

func TestUnderAParent(t *testing.T) {
	s := &shop{}
	setup := consumertest.Setup{
		Config: consumer.Config{Handler: consumertest.Script()},
		Parent: func(consumer *actor.Props) *actor.Props {
			s.consumer = consumer
			return actor.PropsFromProducer(func() actor.Actor { return s })
		},
	}
	setup.Run(t, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		if k.PID() != s.pid {
			t.Errorf("the kit speaks to %v, the parent has %v", k.PID(), s.pid)
		}
		k.System().Root.Poison(s.pid)
		if err := k.Wait(); err != nil {
			t.Errorf("ended with %v", err)
		}
		if p.Committed() != 1 || p.Owned() || s.ended != 1 {
			t.Errorf("committed %d, owned %v, the parent was told %d times", p.Committed(), p.Owned(), s.ended)
		}
	})
}

func TestLogsAreReadable(t *testing.T) {
	cfg := consumer.Config{Handler: consumertest.Script(consumertest.Fail(errDown))}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		k.Assign("orders", 3).Append("a")
		i := slices.IndexFunc(k.Logs(), func(l consumertest.Log) bool { return l.Message == "Assigned Kafka message failed" })
		if i < 0 {
			t.Fatalf("no line about the failure in %v", k.Logs())
		}
		line := k.Logs()[i]
		if line.Fields["partition"] != "3" || line.Fields["error"] != errDown.Error() || line.Fields["group"] != "test" || !strings.Contains(line.String(), "downstream") {
			t.Errorf("%v: %v", line, line.Fields)
		}
	})
}

// A test that fails prints what happened, in order, with the virtual time of each line.
func TestTheStory(t *testing.T) {
	boom := errors.New("boom")
	cfg := consumertest.Config{
		Handler: consumertest.Script(consumertest.OK(), consumertest.Fail(boom), consumertest.Panic("bug")),
		Policy:  supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(time.Second)))},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		k.Advance(2 * time.Second)
		p.Revoke()
		story := k.Story()
		rest := story
		for _, want := range []string{
			"0s  -- orders/0#1 is assigned", "0s  orders/0#1 begins at 0",
			"0s  -- 2 records are produced to orders/0, offsets 0 to 1",
			"0s  orders/0@0 is delivered, attempt 0, incarnation 1", "0s  the handler of orders/0@0 is done",
			"0s  the handler of orders/0@1 answers: boom",
			`0s  orders/0@1 failed, attempt 0, class Handler: Retry after 1s (rule "any failure")`,
			"-- 2s pass", "1s  orders/0@1 is delivered, attempt 1, incarnation 1", "1s  the handler of orders/0@1 panics or exits",
			"1s  orders/0@1 failed, attempt 1, class Panic: Restart after 1s",
			"2s  orders/0@1 is delivered, attempt 2, incarnation 2", "2s  the handler of orders/0@1 is done",
			"2s  -- orders/0#1 is revoked, with 52s", "2s  orders/0#1 is given up (Rebalance), which took 0s",
		} {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Fatalf("%q is missing, or not in its place, in\n%s", want, story)
			}
			rest = after
		}
	})
}
