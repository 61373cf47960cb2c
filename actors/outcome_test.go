package actors

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// spoilt is an error that fails when it is asked.
type spoilt struct {
	text   func() string
	unwrap func() error
	is     func(error) bool
	as     func(any) bool
}

func (s *spoilt) Error() string {
	if s.text != nil {
		return s.text()
	}
	return "spoilt"
}

func (s *spoilt) Unwrap() error {
	if s.unwrap != nil {
		return s.unwrap()
	}
	return nil
}

func (s *spoilt) Is(target error) bool { return s.is != nil && s.is(target) }
func (s *spoilt) As(target any) bool   { return s.as != nil && s.as(target) }

// spoiltErrors are errors that user code answers, and what stands in the text of the panic that they become.
func spoiltErrors() map[string]struct {
	err  error
	says string
} {
	var nilPath *os.PathError
	var nilHint *messages.RetryError
	return map[string]struct {
		err  error
		says string
	}{
		"a nil pointer":        {nilPath, "nil *fs.PathError"},
		"a nil pointer inside": {&spoilt{unwrap: func() error { return nilPath }}, "*actors.spoilt"},
		"a nil hint inside":    {fmt.Errorf("later: %w", nilHint), "*fmt.wrapError"},
		"Error panics":         {&spoilt{text: func() string { panic("no text") }}, "*actors.spoilt, and panics when it is asked: no text"},
		"Error panics with an error that panics": {
			&spoilt{text: func() string { panic(&spoilt{text: func() string { panic("again") }}) }}, "*actors.spoilt",
		},
		"Error exits":                     {&spoilt{text: func() string { runtime.Goexit(); return "" }}, "runtime.Goexit was called"},
		"Unwrap panics":                   {&spoilt{unwrap: func() error { panic("no cause") }}, "no cause"},
		"Is panics":                       {&spoilt{is: func(error) bool { panic("is not") }}, "is not"},
		"As panics":                       {&spoilt{as: func(any) bool { panic("as not") }}, "as not"},
		"behind one that is found sooner": {errors.Join(messages.ErrFenced, &spoilt{is: func(error) bool { panic("is not") }}), "*errors.joinError"},
	}
}

func TestSound(t *testing.T) {
	t.Parallel()
	if err := Sound(nil); err != nil {
		t.Errorf("success is %v", err)
	}
	if err := Sound(messages.ErrFenced); err != messages.ErrFenced {
		t.Errorf("a good error became %v", err)
	}
	for name, c := range spoiltErrors() {
		var p *messages.PanicError
		if err := Sound(c.err); !errors.As(err, &p) || !strings.Contains(err.Error(), c.says) || len(p.Stack) == 0 {
			t.Errorf("%s: %v, want %q in it", name, err, c.says)
		}
	}
}

// An error that cannot be asked for its text or its causes is a panic of the code that answered it: it goes through
// the policy, stands in the status, and neither freezes the partition, whose lock nobody would give back, nor fails in
// the supervisor.
func TestAnErrorThatPanicsIsAPanic(t *testing.T) {
	frozen := time.AfterFunc(5*time.Minute, func() { panic("a partition is frozen") })
	t.Cleanup(func() { frozen.Stop() })
	ways := map[string]struct {
		start func(*rig, error)
		fault string
	}{
		"returned": {func(r *rig, err error) {
			r.handle = func(context.Context, *messages.Record) error { return err }
			r.withHandler()
		}, "Panic 0/0"},
		"panicked with": {func(r *rig, err error) {
			r.handle = func(context.Context, *messages.Record) error { panic(err) }
			r.withHandler()
		}, "Panic 0/0"},
		"completed with": {func(r *rig, err error) {
			r.receive = receiving(func(rec *messages.Record) { rec.Complete(err) })
			r.withActor()
		}, "Panic 0/0"},
		"completed with, later": {func(r *rig, err error) {
			r.receive = receiving(func(rec *messages.Record) { rec.Keep(); time.AfterFunc(time.Second, func() { rec.Complete(err) }) })
			r.withActor()
		}, "Panic 0/0"},
		"of the Assigned hook": {func(r *rig, err error) {
			r.set.Hooks.Assigned = func(context.Context, messages.Claim) error { return err }
			r.withHandler()
		}, "Panic greeting"},
		"panicked with in the Assigned hook": {func(r *rig, err error) {
			r.set.Hooks.Assigned = func(context.Context, messages.Claim) error { panic(err) }
			r.withHandler()
		}, "Panic greeting"},
		"panicked with in a producer": {func(r *rig, err error) {
			r.produce = func(int) actor.Actor { panic(err) }
			r.withActor()
		}, "Panic"},
	}
	for way, w := range ways {
		for name, c := range spoiltErrors() {
			bubbleOf(t, name+", "+way, func(r *rig) {
				r.verdict = park
				w.start(r, c.err)
				r.deliver(0)
				time.Sleep(time.Minute)
				if s := r.box.Snapshot(); s.State != messages.StateParked || s.Failure == nil || !strings.Contains(s.Error, "panic: ") {
					r.t.Errorf("%v, failure %v, error %q", s.State, s.Failure, s.Error)
				}
				r.wantFaults(w.fault)
			})
		}
	}
}

// The store is user code, too: its error comes to the status by way of the supervisor.
func TestANotedErrorThatPanicsIsAPanic(t *testing.T) {
	bubble(t, func(r *rig) {
		r.withHandler()
		var err *os.PathError
		r.box.Note(messages.Failure{Offset: -1, Class: messages.ClassStore, Err: err}, messages.Decision{Action: messages.ActionRetry})
		if s := r.box.Snapshot(); !strings.Contains(s.Error, "nil *fs.PathError") || !strings.Contains(s.Failure.String(), "nil *fs.PathError") {
			t.Errorf("%q, %v", s.Error, s.Failure)
		}
	})
}

// An error may ask the record, and so the mailbox, while it is asked itself: it is not asked under the lock.
func TestAnErrorThatAsksTheRecord(t *testing.T) {
	frozen := time.AfterFunc(5*time.Minute, func() { panic("a partition is frozen") })
	t.Cleanup(func() { frozen.Stop() })
	bubbleOf(t, "handler", func(r *rig) {
		r.verdict = park
		r.handle = func(_ context.Context, rec *messages.Record) error {
			return &spoilt{
				text: func() string { return fmt.Sprintf("text: %v", rec.Stale()) },
				as:   func(any) bool { _ = rec.Stale(); return false },
				is:   func(error) bool { _ = rec.Stale(); return false },
			}
		}
		r.withHandler()
		r.deliver(0)
		synctest.Wait()
		r.wantFaults("Handler 0/0")
		if s := r.box.Snapshot(); !strings.HasPrefix(s.Error, "text: ") {
			r.t.Errorf("%q", s.Error)
		}
	})
}
