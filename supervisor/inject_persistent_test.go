package supervisor_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
)

// faulty is a middleware of the application's that fails at every message of a type while it is armed, or at the next one only.
type faulty struct {
	at     string // a type, as %T prints it; "": every one
	once   bool
	exits  bool // runtime.Goexit in the place of a panic
	armed  atomic.Bool
	struck atomic.Int64
}

func (f *faulty) around(next actor.ReceiverFunc) actor.ReceiverFunc {
	return func(ctx actor.ReceiverContext, m *actor.MessageEnvelope) {
		if (f.at != "" && f.at != fmt.Sprintf("%T", m.Message)) || !f.armed.Load() || f.once && !f.armed.CompareAndSwap(true, false) {
			next(ctx, m)
			return
		}
		if f.struck.Add(1) > 1000 {
			f.armed.Store(false) // it spins: let the test end
		}
		if f.exits {
			runtime.Goexit()
		}
		panic(injected + " at every message")
	}
}

// setup is of a consumer under an application's actor, which restarts it three times at most.
func (f *faulty) setup(cfg config, directive actor.Directive) (consumertest.Setup, *boss) {
	b := &boss{decide: func(n int, _ error) actor.Directive {
		if n > 3 {
			return actor.StopDirective
		}
		return directive
	}}
	return consumertest.Setup{Config: cfg, Parent: func(props *actor.Props) *actor.Props {
		props.Configure(actor.WithReceiverMiddleware(f.around))
		return actor.PropsFromProducer(func() actor.Actor { return &shop{b, props} }, actor.WithSupervisor(b))
	}}, b
}

// A middleware that fails at every message of a type, from the first one on or later: the consumer ends, and whoever waits for
// that is told, once. Nothing spins.
func TestAFaultAtEveryMessageOfAType(t *testing.T) {
	types := append(messagesOf(t, "supervisor.go", "Receive", "supervisor"), "")
	if !slices.Contains(types, "*actor.Stopped") || !slices.Contains(types, "*supervisor.told") {
		t.Fatalf("Receive knows only of %v", types)
	}
	for _, at := range types {
		for name, c := range map[string]struct{ exits, early, restarts bool }{
			"panics":                {},
			"exits":                 {exits: true},
			"panics from the start": {early: true},
			"exits from the start":  {exits: true, early: true},
			"panics when restarted": {restarts: true},
		} {
			t.Run(at+" "+name, func(t *testing.T) {
				f := &faulty{at: at, exits: c.exits}
				f.armed.Store(c.early)
				directive := actor.StopDirective
				if c.restarts {
					directive = actor.RestartDirective
				}
				setup, b := f.setup(config{Handler: consumertest.Script()}, directive)
				setup.Run(t, func(t *testing.T, k *kit) {
					k.Forgive()
					watcher := atomic.Int64{}
					k.System().Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
						switch ctx.Message().(type) {
						case *actor.Started:
							ctx.Watch(k.PID())
						case *actor.Terminated:
							watcher.Add(1)
						}
					}))
					listener := k.System().Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
					if !c.early {
						k.Assign("orders", 0).Append("a")
						k.Assign("orders", 1).Append("a")
						k.System().Root.RequestWithCustomSender(k.PID(), &messages.Subscribe{}, listener)
						k.Advance(time.Second)
						f.armed.Store(true)
					}
					k.System().Root.Stop(listener)
					k.Advance(time.Second)
					if c.restarts {
						k.Expel(errOther)
						k.Advance(10 * time.Minute)
					}
					k.System().Root.Stop(k.PID())
					k.Advance(10 * time.Minute)
					expect(t, "told the parent of the end", len(b.ends()), 1)
					expect(t, "told who watches", watcher.Load(), 1)
					if n := f.struck.Load(); n > 100 {
						t.Errorf("there were %d faults", n)
					}
				})
			})
		}
	}
}

// A fault at the Terminated of a subscriber, or of one partition's actor, while the consumer runs: it drains, and a record that is
// kept elsewhere has the time of the drain.
func TestAFaultAtATerminatedLeavesTheDrainItsTime(t *testing.T) {
	for _, who := range []string{"subscriber", "actor"} {
		t.Run(who, func(t *testing.T) {
			f := &faulty{at: "*actor.Terminated", once: true}
			cfg := config{Actor: func() actor.Actor {
				return actor.ReceiveFunc(func(ctx actor.Context) {
					switch m := ctx.Message().(type) {
					case string:
						ctx.Stop(ctx.Self())
					case *messages.Record:
						m.Keep()
						time.AfterFunc(20*time.Second, func() { m.Complete(nil) })
					}
				})
			}}
			setup, b := f.setup(cfg, actor.StopDirective)
			setup.Run(t, func(t *testing.T, k *kit) {
				b.k = k
				k.Forgive()
				p, other := k.Assign("orders", 0), k.Assign("orders", 1)
				listener := k.System().Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
				k.System().Root.RequestWithCustomSender(k.PID(), &messages.Subscribe{}, listener)
				p.Append("a")
				k.Advance(time.Second)
				f.armed.Store(true)
				if who == "subscriber" {
					k.System().Root.Stop(listener)
				} else {
					other.Send("stop")
				}
				k.Advance(10 * time.Second)
				expect(t, "struck", f.struck.Load(), 1)
				expect(t, "owned while its record is kept", p.Owned(), true)
				expect(t, "the other is owned", other.Owned(), false)
				k.Advance(time.Minute)
				expect(t, "committed", p.Committed(), 1)
				expect(t, "told the parent of the end, when", fmt.Sprint(b.ends()), "[20s]")
			})
		})
	}
}
