package supervisor

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ottla-go/ottla/messages"
)

// Any matches every failure. Its rule is the last one.
func Any() Matcher {
	return matcher(test{
		text:   "any failure",
		match:  func(*messages.Failure) bool { return true },
		covers: func(test) bool { return true },
	})
}

// Panic matches a handler or actor that panicked or called runtime.Goexit.
func Panic() Matcher { return class("panic", messages.ClassPanic) }

// Decode matches a record that could not be decoded.
func Decode() Matcher { return class("decode", messages.ClassDecode) }

// Timeout matches an attempt that took longer than the consumer's HandlerTimeout.
func Timeout() Matcher { return class("timeout", messages.ClassTimeout) }

// Class matches the failures of one class: messages.ClassHandler for what a handler answered, for example.
func Class(c messages.Class) Matcher { return class("class "+c.String(), c) }

func class(text string, c messages.Class) Matcher {
	t := test{
		text:   text,
		match:  func(f *messages.Failure) bool { return f.Class == c },
		covers: func(other test) bool { return other.what == c },
		what:   c,
	}
	if c < messages.ClassHandler || c > messages.ClassTimeout {
		t.fault = text + " does not exist: use one of the constants messages.ClassHandler to messages.ClassTimeout"
	}
	return matcher(t)
}

// wanted is the error of an Is. It is not compared with ==, which panics for an error that is a slice.
type wanted struct{ error }

// Is matches a failure whose error is, or wraps, target, as errors.Is tells. A panic with an error matches
// by that error.
func Is(target error) Matcher {
	if target == nil {
		return matcher(test{
			text: "error is nil", match: never, covers: nothing,
			fault: "Is(nil) matches nothing: name the error, or use Any()",
		})
	}
	return matcher(test{
		text:  fmt.Sprintf("error is %q", target.Error()),
		match: func(f *messages.Failure) bool { return errors.Is(f.Err, target) },
		covers: func(other test) bool {
			its, ok := other.what.(wanted)
			return ok && errors.Is(its.error, target)
		},
		what: wanted{target},
	})
}

// As matches a failure whose error is, or wraps, one of type E, as errors.As tells: As[*net.OpError](). E may be an
// interface: As[net.Error](). A panic with an error matches by that error.
func As[E error]() Matcher {
	kind := reflect.TypeFor[E]()
	found := func(err error) bool {
		var e E
		return errors.As(err, &e)
	}
	return matcher(test{
		text:  "error is a " + kind.String(),
		match: func(f *messages.Failure) bool { return found(f.Err) },
		covers: func(other test) bool {
			switch its := other.what.(type) {
			case wanted:
				return found(its.error)
			case reflect.Type:
				return its == kind || kind.Kind() == reflect.Interface && its.Implements(kind)
			default:
				return false
			}
		},
		what: kind,
	})
}

// Topic matches the failures of partitions of these topics.
func Topic(names ...string) Matcher {
	names = slices.Clone(names)
	t := test{
		text:  "topic " + strings.Join(names, " or "),
		match: func(f *messages.Failure) bool { return slices.Contains(names, f.Topic) },
		covers: func(other test) bool {
			its, ok := other.what.([]string)
			return ok && !slices.ContainsFunc(its, func(name string) bool { return !slices.Contains(names, name) })
		},
		what: names,
	}
	switch {
	case len(names) == 0:
		t.text, t.fault = "no topic", "Topic() matches nothing: name a topic, or leave the condition out"
	case slices.Contains(names, ""):
		t.fault = fmt.Sprintf("Topic(%q) has an empty name: name the topic, or leave it out", names)
	}
	return matcher(t)
}

// When matches what the function says, under a name that stands in status and log. The function has to be quick and free
// of side effects, and safe for concurrent use: it is asked by the actor that supervises all partitions. One that panics
// does not match.
func When(name string, match func(*messages.Failure) bool) Matcher {
	t := test{text: name, match: match, covers: nothing}
	switch {
	case match == nil:
		t.match = never
		t.fault = fmt.Sprintf("When(%q, nil) matches nothing: give the function", name)
	case name == "":
		t.text, t.fault = "unnamed", `When("", …) has no name: give it one, status and log tell by it which rule it was`
	}
	return matcher(t)
}
