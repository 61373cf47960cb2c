package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// hooks are where a Config, or its PerTopic, has code of the application's: by the name of the field, runs that have points in
// it.
var hooks = map[string]func(in *injection){
	"Handler": func(in *injection) {
		in.cfg.Handler = in.handler
	},
	"Actor": func(in *injection) {
		in.cfg.Actor = func() actor.Actor {
			in.pass("before the producer")
			return &tapped{in, &worker{in: in}}
		}
	},
	"Hooks.Assigned": func(in *injection) {
		in.cfg.Handler = in.simply
		in.cfg.Hooks.Assigned = func(context.Context, messages.Claim) error { in.pass("before Assigned"); return nil }
	},
	"Hooks.Revoked": func(in *injection) {
		in.cfg.Handler = in.simply
		in.cfg.Hooks.Revoked = func(messages.Revoked) { in.pass("before Revoked") }
	},
	"Hooks.Lost": func(in *injection) {
		in.cfg.Handler = in.simply
		in.cfg.Hooks.Lost = func(messages.Lost) { in.pass("before Lost") }
	},
	"Policy": func(in *injection) {
		in.cfg.Policy = append(supervisor.Policy{supervisor.On(supervisor.When("never", func(*messages.Failure) bool {
			in.pass("before When")
			return false
		}), supervisor.Park("never"))}, directives...)
		in.err = func(err error) error { return &hostile{in, err} }
		in.silent = true // what panics does not match
	},
	"Strategy": func(in *injection) {
		in.cfg.Strategy = tappedStrategy{in}
	},
	"DeadLetters": func(in *injection) {
		in.cfg.DeadLetters = writer(func(context.Context, *messages.DeadLetter) error {
			in.pass("before WriteDeadLetter")
			in.pass("behind WriteDeadLetter")
			return nil
		})
	},
	"Offsets.Store": func(in *injection) {
		in.cfg.Offsets.Store = tappedStore{in}
	},
	"Logger": func(in *injection) {
		in.cfg.Logger = slog.New(tappedLog{slog.DiscardHandler, in})
		in.silent = true // to whom?
	},
}

// apart are those that are not called where claims are owned.
var apart = map[string]string{
	"Sarama":     "it is called by Validate, New and Props, in their caller's goroutine",
	"SASL.Token": "it is called when a connection is made; see TestToken of consumer/internal/security",
}

// A panic, or a Goexit, in the application's code, wherever a Config has some: a hook that is new makes the test fail, unless it
// stands above.
func TestAFaultInEachHook(t *testing.T) {
	for _, name := range codeIn("", reflect.TypeFor[consumer.Config]()) {
		if apart[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			field, perTopic := strings.CutPrefix(name, "PerTopic.")
			prepare := hooks[field]
			if prepare == nil {
				t.Fatal("there is no fault in it")
			}
			points := inject(t, func(trap *trap) *injection {
				in := &injection{trap: trap, perTopic: perTopic}
				prepare(in)
				return in
			}, true)
			if field != "Actor" {
				return
			}
			for _, m := range []any{
				&actor.Started{}, &actor.Stopping{}, &actor.Stopped{}, &actor.Restarting{}, &actor.Terminated{},
				&messages.Record{}, &messages.Assigned{}, &messages.Revoked{}, &messages.Lost{}, "",
			} {
				if !slices.Contains(points, fmt.Sprintf("before %T", m)) {
					t.Errorf("there was no fault at %T", m)
				}
			}
		})
	}
}

// codeIn are the fields of a struct, and of those in it, that hold code: functions, interfaces, and loggers; with the policy,
// whose matchers do.
func codeIn(prefix string, s reflect.Type) (names []string) {
	for f := range s.Fields() {
		name := prefix + f.Name
		switch {
		case !f.IsExported():
		case f.Type.Kind() == reflect.Func, f.Type.Kind() == reflect.Interface,
			f.Type == reflect.TypeFor[*slog.Logger](), f.Type == reflect.TypeFor[supervisor.Policy]():
			names = append(names, name)
		case f.Type.Kind() == reflect.Map && f.Type.Elem().Kind() == reflect.Struct:
			names = append(names, codeIn(name+".", f.Type.Elem())...)
		case f.Type.Kind() == reflect.Struct:
			names = append(names, codeIn(name+".", f.Type)...)
		}
	}
	return names
}

// handler is one with points.
func (in *injection) handler(_ context.Context, r *messages.Record) (err error) {
	in.around("the handler", func() { err = in.handle(r) })
	return err
}

// simply is one without.
func (in *injection) simply(_ context.Context, r *messages.Record) error { return in.handle(r) }

// tapped is an actor with points before and behind each message, and in its strategy.
type tapped struct {
	in *injection
	*worker
}

func (a *tapped) Receive(ctx actor.Context) {
	a.in.around(fmt.Sprintf("%T", ctx.Message()), func() { a.worker.Receive(ctx) })
}

func (a *tapped) HandleFailure(sys *actor.ActorSystem, s actor.Supervisor, child *actor.PID, rs *actor.RestartStatistics, reason, message any) {
	a.in.around("HandleFailure", func() { a.worker.HandleFailure(sys, s, child, rs, reason, message) })
}

// hostile is an error with points in all of its methods.
type hostile struct {
	in  *injection
	err error
}

func (h *hostile) Error() string { h.in.pass("before Error"); return h.err.Error() }
func (h *hostile) Unwrap() error { h.in.pass("before Unwrap"); return h.err }
func (h *hostile) Is(error) bool { h.in.pass("before Is"); return false }
func (h *hostile) As(any) bool   { h.in.pass("before As"); return false }

// tappedStrategy is a plain one: it skips, stops, or delivers again.
type tappedStrategy struct{ in *injection }

func (s tappedStrategy) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	err, _ := reason.(error)
	s.in.around("HandleFailure", func() {
		switch {
		case errors.Is(err, errSkip), errors.Is(err, errLetter):
			sup.ResumeChildren(child)
		case errors.Is(err, errPark):
			sup.StopChildren(child)
		default:
			sup.RestartChildren(child)
		}
	})
}

// tappedStore is the run's, with points.
type tappedStore struct{ in *injection }

func (s tappedStore) Acquire(ctx context.Context, c messages.Claim) (p consumertest.Position, err error) {
	s.in.around("Acquire", func() { p, err = s.in.store.Acquire(ctx, c) })
	return p, err
}

func (s tappedStore) Advance(ctx context.Context, c messages.Claim, next, fence int64) (err error) {
	s.in.around("Advance", func() { err = s.in.store.Advance(ctx, c, next, fence) })
	return err
}

// tappedLog has points in all methods.
type tappedLog struct {
	slog.Handler
	in *injection
}

func (l tappedLog) Enabled(context.Context, slog.Level) bool {
	l.in.pass("before Enabled")
	return true
}
func (l tappedLog) Handle(context.Context, slog.Record) error {
	l.in.pass("before Handle")
	return nil
}
func (l tappedLog) WithAttrs([]slog.Attr) slog.Handler { l.in.pass("before WithAttrs"); return l }
func (l tappedLog) WithGroup(string) slog.Handler      { l.in.pass("before WithGroup"); return l }
