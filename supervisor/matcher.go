package supervisor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ottla-go/ottla/messages"
)

// Matcher is a rule's condition: a text for status and log, and a predicate. Make one with [Any], [Panic], [Decode], [Timeout], [Class],
// [Is], [As], [Topic] or [When], and join two with And; the zero Matcher matches nothing and is refused by
// [Policy.Validate]. A Matcher is a value and safe for concurrent use.
type Matcher struct {
	tests []test // all of them have to hold
}

// test is one condition. A new kind of matcher is one more function in matchers.go that fills in these fields; nothing
// else knows them.
type test struct {
	text  string
	match func(*messages.Failure) bool
	// covers says whether all that other matches is matched here: a rule behind it cannot be reached.
	covers func(other test) bool
	what   any    // what covers compares: a class, an error, a type, names
	fault  string // what Validate says about it
}

// never and nothing are those of a test that Validate refuses.
func never(*messages.Failure) bool { return false }
func nothing(test) bool            { return false }

// matcher is a condition of one test.
func matcher(t test) Matcher { return Matcher{tests: []test{t}} }

// And matches what both match.
func (m Matcher) And(other Matcher) Matcher {
	return Matcher{tests: append(append(make([]test, 0, len(m.tests)+len(other.tests)), m.each()...), other.each()...)}
}

// each is m's tests; those of the zero Matcher are one that nothing passes.
func (m Matcher) each() []test {
	if len(m.tests) == 0 {
		return []test{{
			text: "no matcher", match: never, covers: nothing,
			fault: "has no matcher: make the rule with On(Any(), …), On(Panic(), …) or On(Is(err), …)",
		}}
	}
	return m.tests
}

// String is the text, as it stands in status, log and Explain.
func (m Matcher) String() string {
	var texts []string
	for _, t := range m.each() {
		texts = append(texts, t.text)
	}
	return strings.Join(texts, " and ")
}

// within is m for failures in one topic.
func (m Matcher) within(topic string) Matcher {
	tests := slices.Clone(m.tests)
	for i, t := range tests {
		names, ok := t.what.([]string)
		switch {
		case !ok || t.fault != "":
		case slices.Contains(names, topic):
			tests[i] = Any().tests[0]
			tests[i].text = t.text
		default:
			tests[i].fault = fmt.Sprintf("Topic(%q) matches nothing, because the policy is for %q alone: correct the name, or remove the rule", names, topic)
		}
	}
	return Matcher{tests: tests}
}

// faults are what Validate says about m.
func (m Matcher) faults() []error {
	var faults []error
	for _, t := range m.each() {
		if t.fault != "" {
			faults = append(faults, errors.New(t.fault))
		}
	}
	return faults
}

// matches answers false for a predicate, or an error's method Is or As, that panics: the rules behind it decide, and at
// last the default, which loses nothing.
func (m Matcher) matches(f *messages.Failure) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	for _, t := range m.tests {
		if !t.match(f) {
			return false
		}
	}
	return len(m.tests) > 0
}

// forLetters says whether one of m's tests is for just the class of dead letters that cannot be written.
func (m Matcher) forLetters() bool {
	return slices.ContainsFunc(m.tests, func(t test) bool { return t.what == messages.ClassDeadLetter })
}

// covers says whether all that other matches is matched by m, as far as that can be told: each of m's tests covers one of
// other's.
func (m Matcher) covers(other Matcher) bool {
	for _, mine := range m.tests {
		covered := false
		for _, its := range other.each() {
			covered = covered || mine.covers(its)
		}
		if !covered {
			return false
		}
	}
	return len(m.tests) > 0
}
