package supervisor

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/ottla-go/ottla/messages"
)

func TestMatchers(t *testing.T) {
	plain := &messages.Failure{Class: messages.ClassHandler, Err: fmt.Errorf("read: %w", io.EOF)}
	panicked := &messages.Failure{Class: messages.ClassPanic, Err: &messages.PanicError{Value: io.EOF}}
	goexit := &messages.Failure{Class: messages.ClassPanic, Err: &messages.PanicError{Value: messages.Goexit}}
	hinted := &messages.Failure{Class: messages.ClassHandler, Err: messages.RetryAfter(1, io.EOF)}
	tests := []struct {
		matcher                      Matcher
		text                         string
		plain, panicked, exit, hints bool
	}{
		{Any(), "any failure", true, true, true, true},
		{Panic(), "panic", false, true, true, false},
		{Class(messages.ClassHandler), "class Handler", true, false, false, true},
		{Class(messages.ClassStore), "class Store", false, false, false, false},
		{Is(io.EOF), `error is "EOF"`, true, true, false, true},
		{Is(io.ErrClosedPipe), `error is "io: read/write on closed pipe"`, false, false, false, false},
		{Is(nil), "error is nil", false, false, false, false},
		{As[*messages.RetryError](), "error is a *messages.RetryError", false, false, false, true},
		{As[*messages.PanicError](), "error is a *messages.PanicError", false, true, true, false},
		{As[interface {
			error
			Unwrap() error
		}](), "error is a interface { Error() string; Unwrap() error }", true, true, true, true},
		{Decode(), "decode", false, false, false, false},
		{When("crashed", func(f *messages.Failure) bool { return f.Class == messages.ClassPanic }), "crashed", false, true, true, false},
		{When("panics", func(f *messages.Failure) bool { panic(f) }), "panics", false, false, false, false},
		{When("nothing", nil), "nothing", false, false, false, false},
		{Panic().And(Is(io.EOF)), `panic and error is "EOF"`, false, true, false, false},
		{Any().And(Matcher{}), "any failure and no matcher", false, false, false, false},
		{Matcher{}.And(Any()), "no matcher and any failure", false, false, false, false},
		{Matcher{}, "no matcher", false, false, false, false},
	}
	for _, tt := range tests {
		for _, c := range []struct {
			f    *messages.Failure
			want bool
		}{{plain, tt.plain}, {panicked, tt.panicked}, {goexit, tt.exit}, {hinted, tt.hints}, {&messages.Failure{}, tt.text == "any failure"}} {
			if got := tt.matcher.matches(c.f); got != c.want {
				t.Errorf("%v matches %v %v: %v, want %v", tt.matcher, c.f.Class, c.f.Err, got, c.want)
			}
		}
		if got := tt.matcher.String(); got != tt.text {
			t.Errorf("text %q, want %q", got, tt.text)
		}
	}
}

func TestMatcherCovers(t *testing.T) {
	wrapped := fmt.Errorf("customer: %w", io.EOF)
	uncomparable := uncomparableError{"x"}
	tests := []struct {
		earlier, later Matcher
		want           bool
	}{
		{Any(), Panic(), true},
		{Any(), Is(io.EOF), true},
		{Any(), Any(), true},
		{Panic(), Panic(), true},
		{Panic(), Class(messages.ClassPanic), true},
		{Class(messages.ClassPanic), Panic(), true},
		{Class(messages.ClassHandler), Panic(), false},
		{Class(messages.ClassHandler), Is(io.EOF), false},
		{Class(messages.ClassHandler), Any(), false},
		{Panic(), Any(), false},
		{Panic(), Is(io.EOF), false},
		{Panic(), Is(errors.New("panic")), false},
		{Is(io.EOF), Is(io.EOF), true},
		{Is(io.EOF), Is(wrapped), true}, // what wraps the second wraps the first
		{Is(wrapped), Is(io.EOF), false},
		{Is(io.EOF), Any(), false},
		{Is(io.EOF), Panic(), false},
		{Is(uncomparable), Is(uncomparable), false}, // and no panic
		{As[*messages.RetryError](), As[*messages.RetryError](), true},
		{As[error](), As[*messages.RetryError](), true},
		{As[*messages.RetryError](), As[error](), false},
		{As[*messages.RetryError](), As[*messages.PanicError](), false},
		{As[*messages.RetryError](), Is(messages.RetryAfter(1, io.EOF)), true},
		{As[*messages.RetryError](), Is(io.EOF), false},
		{Is(io.EOF), As[*messages.RetryError](), false},
		{Topic("a", "b"), Topic("b"), true},
		{Topic("a"), Topic("a", "b"), false},
		{Topic("a"), Panic(), false},
		{Any(), Topic("a").And(Panic()), true},
		{Panic(), Topic("a").And(Panic()), true},
		{Topic("a"), Topic("a").And(Panic()), true},
		{Topic("a").And(Panic()), Panic(), false},
		{Topic("a").And(Panic()), Topic("a").And(Panic()).And(Is(io.EOF)), true},
		{Topic("a").And(Panic()), Panic().And(Topic("b")), false},
		{Any().And(Panic()), Panic(), true},
		{When("x", nil), When("x", nil), false},
		{Matcher{}, Any(), false},
	}
	for _, tt := range tests {
		if got := tt.earlier.covers(tt.later); got != tt.want {
			t.Errorf("%v covers %v: %v", tt.earlier, tt.later, got)
		}
	}
}

type uncomparableError []string

func (e uncomparableError) Error() string { return e[0] }

// dogmatic is an error whose method Is panics: it takes the target for one of its own kind.
type dogmatic struct{ error }

func (dogmatic) Is(target error) bool { return target.(dogmatic).error != nil }

// A predicate that panics matches nothing, and the rules behind it decide: a failure is decided about in any case.
func TestAMatcherThatPanics(t *testing.T) {
	p := Policy{On(Is(io.EOF), Skip()), On(Any(), Park("look"))}
	got := p.Decide(messages.Failure{Class: messages.ClassHandler, Err: dogmatic{io.ErrClosedPipe}})
	if got[0].Action != messages.ActionPark {
		t.Errorf("decided %+v, want a park", got[0])
	}
}

func TestTopicMatchesTheFailuresTopic(t *testing.T) {
	names := []string{"orders", "refunds"}
	m := Topic(names...)
	names[0] = "other" // the caller's slice is his own
	for topic, want := range map[string]bool{"orders": true, "refunds": true, "other": false, "": false} {
		if got := m.matches(&messages.Failure{Topic: topic}); got != want {
			t.Errorf("%q: %v", topic, got)
		}
	}
}

// And copies: a matcher that two others were made of is not changed by either.
func TestAndLeavesItsPartsAlone(t *testing.T) {
	base := Any().And(Topic("a")).And(Topic("a"))
	left, right := base.And(Panic()), base.And(Decode())
	if !left.matches(&messages.Failure{Topic: "a", Class: messages.ClassPanic}) || !right.matches(&messages.Failure{Topic: "a", Class: messages.ClassDecode}) {
		t.Errorf("%v, %v", left, right)
	}
}
