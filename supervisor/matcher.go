package supervisor

import (
	"errors"
	"fmt"

	"github.com/ottla-go/ottla/messages"
)

// Matcher is a rule's condition: a text for status and log, and a predicate. Make one with [Any], [Panic],
// [Class] or [Is]; the zero Matcher matches nothing and is refused by [Policy.Validate]. A Matcher is a value and safe
// for concurrent use.
//
// A new kind of matcher is one more function in this file that fills in these fields; nothing else knows them.
type Matcher struct {
	text  string
	match func(*messages.Failure) bool
	// covers says whether all that other matches is matched here: a rule behind it cannot be reached.
	covers func(other Matcher) bool
	class  messages.Class // of Panic and Class
	target error          // of Is
	fault  string         // what Validate says about it
}

// String is the text, as it stands in status, log and Explain.
func (m Matcher) String() string {
	if m.text == "" {
		return "no matcher"
	}
	return m.text
}

// matches answers false for a predicate, or an error's method Is, that panics: the rules behind it decide, and at last
// the default, which loses nothing.
func (m Matcher) matches(f *messages.Failure) (yes bool) {
	if m.match == nil {
		return false
	}
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	return m.match(f)
}

// Any matches every failure. Its rule is the last one.
func Any() Matcher {
	return Matcher{
		text:   "any failure",
		match:  func(*messages.Failure) bool { return true },
		covers: func(Matcher) bool { return true },
	}
}

// Panic matches a handler or actor that panicked or called runtime.Goexit.
func Panic() Matcher {
	m := Class(messages.ClassPanic)
	m.text = "panic"
	return m
}

// Class matches the failures of one class: messages.ClassHandler for what a handler answered, for example.
func Class(c messages.Class) Matcher {
	m := Matcher{
		text:   "class " + c.String(),
		match:  func(f *messages.Failure) bool { return f.Class == c },
		covers: func(other Matcher) bool { return other.class == c },
		class:  c,
	}
	if c < messages.ClassHandler || c > messages.ClassActorStopped {
		m.fault = m.text + " does not exist: use one of the constants messages.ClassHandler to messages.ClassActorStopped"
	}
	return m
}

// Is matches a failure whose error is, or wraps, target, as errors.Is tells. A panic with an error matches
// by that error.
func Is(target error) Matcher {
	if target == nil {
		return Matcher{
			text: "error is nil", match: func(*messages.Failure) bool { return false },
			fault: "Is(nil) matches nothing: name the error, or use Any()",
		}
	}
	return Matcher{
		text:   fmt.Sprintf("error is %q", target.Error()),
		match:  func(f *messages.Failure) bool { return errors.Is(f.Err, target) },
		covers: func(other Matcher) bool { return other.target != nil && errors.Is(other.target, target) },
		target: target,
	}
}
