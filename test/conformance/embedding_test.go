package conformance

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// app is an application of actors: its actor is the parent of an embedded consumer, and hears of its end.
type app struct {
	t      testing.TB
	sys    *actor.ActorSystem
	self   *actor.PID
	child  *actor.PID
	sister *actor.PID
	ended  chan *actor.Terminated
}

// crash makes the consumer's sister panic.
type crash struct{}

// startApp spawns the application's actor, under a strategy of its own, with the consumer below it.
func startApp(t testing.TB, k *kafka, strategy actor.SupervisorStrategy, cfg consumer.Config) *app {
	t.Helper()
	props, err := consumer.Props(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{t: t, ended: make(chan *actor.Terminated, 4)}
	a.sys = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return k.journal.logger("app") }))
	started := make(chan struct{})
	a.self = a.sys.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch m := c.Message().(type) {
		case *actor.Started:
			a.sister = c.Spawn(actor.PropsFromFunc(func(c actor.Context) {
				if _, ok := c.Message().(crash); ok {
					panic("the sister crashes")
				}
			}))
			a.child = c.Spawn(props)
			close(started)
		case *actor.Terminated:
			if m.Who.Id == a.child.Id {
				a.ended <- m
			}
		}
	}, actor.WithSupervisor(strategy)))
	received(t, started, "the application starts")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.ref().Shutdown(ctx); err != nil {
			t.Errorf("the embedded consumer does not end: %v", err)
		}
		a.sys.Shutdown()
	})
	return a
}

func (a *app) ref() consumer.Ref { return consumer.NewRef(a.sys, a.child) }

// status is the embedded consumer's.
func (a *app) status() *messages.Status {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := a.ref().Status(ctx)
	if err != nil {
		return &messages.Status{}
	}
	return s
}

// over: the application has been told that the consumer has ended.
func (a *app) over() bool { return len(a.ended) > 0 }

// decides is a strategy of the application that does the same about every failure.
func decides(directive actor.Directive) actor.SupervisorStrategy {
	return actor.NewOneForOneStrategy(10, 0, func(any) actor.Directive { return directive })
}

// TestEmbeddingPoisonPill: a poison pill drains. When the parent is told Terminated, what was in flight is committed
// and the group has been left; not before.
func TestEmbeddingPoisonPill(t *testing.T) {
	k := cluster(t)
	topic := k.topic(2)
	group := "g-" + topic
	k.fill(topic, 2, 0, 5)
	l := newLedger(2, 5)
	g := newGate()
	cfg := k.config("a", group, topic)
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == 2 {
			<-g.open
		}
		return nil
	})
	a := startApp(t, k, decides(actor.StopDirective), cfg)
	defer g.release()
	eventually(t, "both partitions stand", func() bool { return len(l.running("a")) == 2 && l.count() == 4 })
	a.sys.Root.Poison(a.child)
	eventually(t, "the consumer drains", func() bool { return a.status().Phase == "draining" })
	if a.over() {
		t.Error("Terminated came while handlers were in flight")
	}
	g.release()
	received(t, a.ended, "Terminated")
	if at := k.committed(group, topic); at[0] != 3 || at[1] != 3 {
		t.Errorf("committed %v at Terminated, want 3 on both", at)
	}
	if state, n := k.group(group); n != 0 {
		t.Errorf("the group is %s with %d members at Terminated: it was not left", state, n)
	}
	if n := len(l.calls(by("a"))); n != 6 {
		t.Errorf("%d records were handled, want 6: the pill overtakes the backlog", n)
	}
}

// TestEmbeddingPoisonPillInRebalance: the pill comes while a partition is being given up to a second member.
func TestEmbeddingPoisonPillInRebalance(t *testing.T) {
	const each = 5
	k := cluster(t)
	topic := k.topic(2)
	group := "g-" + topic
	k.fill(topic, 2, 0, each)
	l := newLedger(2, each)
	g := newGate()
	cfg := k.config("a", group, topic)
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == 2 {
			<-g.open
		}
		return nil
	})
	a := startApp(t, k, decides(actor.StopDirective), cfg)
	defer g.release()
	eventually(t, "both partitions stand", func() bool { return len(l.running("a")) == 2 && l.count() == 4 })
	cfg = k.config("b", group, topic)
	cfg.Handler = l.keeps("b", nil)
	b := start(t, "b", cfg)
	stopping := func() (n int) {
		for _, p := range a.status().Partitions {
			if p.State == messages.StateStopping {
				n++
			}
		}
		return n
	}
	eventually(t, "a gives up a partition", func() bool { return stopping() == 1 })
	a.sys.Root.Poison(a.child)
	eventually(t, "a gives up both", func() bool { return stopping() == 2 })
	if a.over() {
		t.Error("Terminated came while handlers were in flight")
	}
	g.release()
	received(t, a.ended, "Terminated")
	if _, n := k.group(group); n != 1 {
		t.Errorf("the group has %d members at Terminated, want b alone", n)
	}
	at := k.committed(group, topic)
	if at[0] < 3 || at[1] < 3 {
		t.Errorf("committed %v at Terminated, want 3 or more on both", at)
	}
	eventually(t, "all are processed", l.done)
	b.leave()
	l.clean(t)
}

// TestEmbeddingEscalation: a failure that is escalated drains the consumer and leaves the group first; then it is the
// parent's strategy that decides. A restart joins anew, and the record comes again with its next attempt.
func TestEmbeddingEscalation(t *testing.T) {
	for _, directive := range []actor.Directive{actor.RestartDirective, actor.StopDirective} {
		t.Run(directive.String(), func(t *testing.T) {
			k := cluster(t)
			topic := k.topic(2)
			group := "g-" + topic
			k.fill(topic, 2, 0, 5)
			l := newLedger(2, 5)
			cfg := k.config("a", group, topic)
			cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Escalate())}
			cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
				if rec.Partition == 0 && rec.Offset == 2 && rec.Attempt == 0 {
					return errStumble
				}
				return nil
			})
			reasons := make(chan any, 4)
			left := make(chan int, 4)
			a := startApp(t, k, actor.NewOneForOneStrategy(10, 0, func(reason any) actor.Directive {
				_, n := k.group(group)
				left <- n
				reasons <- reason
				return directive
			}), cfg)
			reason := received(t, reasons, "the parent's strategy is asked")
			var escalated *messages.EscalatedError
			if err, ok := reason.(error); !ok || !errors.As(err, &escalated) || !errors.Is(err, errStumble) {
				t.Errorf("the parent's strategy saw %v, want an EscalatedError with its cause", reason)
			} else if f := escalated.Failure; f.Where() != topic+"/0@2" {
				t.Errorf("it names %s, want %s/0@2", f.Where(), topic)
			}
			if n := <-left; n != 0 {
				t.Errorf("the group had %d members when the parent's strategy was asked, want none", n)
			}
			if directive == actor.StopDirective {
				received(t, a.ended, "Terminated")
				return
			}
			eventually(t, "all are processed", l.done)
			a.sys.Root.Poison(a.child)
			received(t, a.ended, "Terminated")
			l.clean(t)
			if again := l.calls(func(c try) bool { return c.partition == 0 && c.offset == 2 }); len(again) != 2 || again[1].attempt != 1 {
				t.Errorf("the record was handled as %v, want two attempts", attempts(again))
			}
		})
	}
}

// TestEmbeddingRestart: the application restarts all of its actors because another one has crashed. The consumer
// finishes what is in flight, commits and leaves before its next incarnation joins: nothing is handled twice.
func TestEmbeddingRestart(t *testing.T) {
	const each = 400
	k := cluster(t)
	topic := k.topic(2)
	group := "g-" + topic
	k.fill(topic, 2, 0, each)
	l := newLedger(2, each)
	g := newGate()
	cfg := k.config("a", group, topic)
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == 200 {
			<-g.open
		}
		return nil
	})
	a := startApp(t, k, actor.NewAllForOneStrategy(10, 0, func(any) actor.Directive { return actor.RestartDirective }), cfg)
	defer g.release()
	eventually(t, "both partitions stand", func() bool { return len(l.running("a")) == 2 && l.count() == 400 })
	first := a.status().Member
	a.sys.Root.Send(a.sister, crash{})
	eventually(t, "the consumer drains", func() bool { return a.status().Phase == "draining" })
	g.release()
	eventually(t, "all are processed", l.done)
	if again := a.status().Member; again == first || again == "" {
		t.Errorf("the member is %q, and was %q: it did not join anew", again, first)
	}
	a.sys.Root.Poison(a.child)
	received(t, a.ended, "Terminated")
	if _, n := k.group(group); n != 0 {
		t.Errorf("%d members are left in the group", n)
	}
	l.clean(t)
}
