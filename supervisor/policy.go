package supervisor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ottla-go/ottla/messages"
)

// Policy is what failures mean: an ordered list of rules, of which the first one that matches applies. nil is
// [DefaultPolicy], and so is what no rule matches. Every failure of every partition goes through it, of
// whatever origin. Do not change a Policy that is in use; reading it is safe for concurrent use.
//
//	supervisor.Policy{
//		supervisor.On(supervisor.Is(ErrUnknownCustomer), supervisor.Park("customer is not known yet")),
//		supervisor.On(supervisor.As[*net.OpError](), supervisor.Retry(supervisor.Quick()).Times(5), supervisor.Park("downstream is away")),
//		supervisor.On(supervisor.Panic(), supervisor.Restart(supervisor.Quick()).Within(3, time.Minute), supervisor.Park("crashes")),
//		supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Backoff{})),
//	}
type Policy []Rule

// Rule is a condition and a flat list of steps. Each step but the last has a budget; when it is spent, the
// next step applies.
type Rule struct {
	// Name stands in status, events and log. Default: the text of On.
	Name string
	On   Matcher
	Do   []Directive
}

// On makes a rule.
func On(m Matcher, do ...Directive) Rule { return Rule{On: m, Do: do} }

func (r Rule) name() string {
	if r.Name != "" {
		return r.Name
	}
	return r.On.String()
}

// DefaultPolicy retries for ever, with the zero [Backoff]: 10 s, 1 min 40 s, 16 min 40 s, 1 h, 1 h … A panic
// restarts the partition actor, with the same delays. It cannot make matters worse: nothing is lost, nothing
// is handled out of order, and only the record's own partition waits.
func DefaultPolicy() Policy { return Policy{defaultRule} }

var defaultRule = Rule{Name: "default", On: Any(), Do: []Directive{Retry(Backoff{})}}

// Validate reports all faults joined into one error, each with the rule, the value and the remedy. nil is
// valid.
func (p Policy) Validate() error {
	var faults []error
	for i, r := range p {
		where := fmt.Sprintf("ottla: policy rule %d (%s)", i+1, r.name())
		own := r.On.faults()
		if j := p[:i].covering(r.On); len(own) == 0 && j >= 0 {
			own = append(own, fmt.Errorf("is never reached: rule %d (%s) comes first and matches all of it; put this rule before that one, or remove it", j+1, p[j].name()))
		}
		for _, err := range append(own, r.faults()...) {
			faults = append(faults, fmt.Errorf("%s: %w", where, err))
		}
	}
	return errors.Join(faults...)
}

// ValidateFor is Validate for a policy that only failures in this topic come to: there a [Topic] that names it matches
// everything, so that a rule behind it may never be reached, and one that does not name it matches nothing.
func (p Policy) ValidateFor(topic string) error {
	own := make(Policy, len(p))
	for i, r := range p {
		own[i] = Rule{Name: r.Name, On: r.On.within(topic), Do: r.Do}
	}
	return own.Validate()
}

// covering is the first rule that leaves nothing for a later one on m; -1: none.
func (p Policy) covering(m Matcher) int {
	return slices.IndexFunc(p, func(earlier Rule) bool {
		return len(earlier.On.faults()) == 0 && earlier.On.covers(m) &&
			(earlier.On.forLetters() || !m.forLetters()) // see Rule.applies
	})
}

// faults are those of the rule's steps.
func (r Rule) faults() []error {
	if len(r.Do) == 0 {
		return []error{errors.New("has no steps: add a directive, for example Retry(Backoff{})")}
	}
	var faults []error
	own := r.On.forLetters()
	for k, d := range r.Do {
		if own && d.givesUp() {
			faults = append(faults, fmt.Errorf("step %d (%s): a dead letter that cannot be written would be lost, or could again not be written: use Retry, Park or Escalate", k+1, d.action))
		}
		for _, err := range d.faults(k == len(r.Do)-1) {
			faults = append(faults, fmt.Errorf("step %d (%s): %w", k+1, d.action, err))
		}
	}
	return faults
}

// faults are all of the step's; last says that no step follows.
func (d Directive) faults(last bool) []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if d.action == 0 {
		fault("is a zero Directive: use Retry, Restart, Break, Skip, DeadLetter, Park or Escalate")
		return faults
	}
	faults = append(faults, d.budget.faults(last)...)
	switch {
	case last || len(faults) > 0:
	case d.action == messages.ActionSkip, d.action == messages.ActionDeadLetter:
		fault("a record that was given up does not fail again, so that the steps behind it are never reached: make %v the last step", d.action)
	case !d.budget.any():
		faults = append(faults, errNoBudget)
	}
	if d.action == messages.ActionDeadLetter && d.to == "" {
		fault("DeadLetter(\"\") names no place: name the topic")
	}
	if d.waits() {
		faults = append(faults, d.backoff.faults()...)
	}
	return faults
}

// Uses says whether any rule has a step with the action. A nil policy uses what [DefaultPolicy] does.
func (p Policy) Uses(action messages.Action) bool {
	if p == nil {
		p = DefaultPolicy()
	}
	for _, r := range p {
		for _, d := range r.Do {
			if d.action == action {
				return true
			}
		}
	}
	return false
}

// Targets are the places to which any step dead-letters, each once.
func (p Policy) Targets() []string {
	var places []string
	for _, r := range p {
		for _, d := range r.Do {
			if d.action == messages.ActionDeadLetter {
				places = append(places, d.to)
			}
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// Topics are those that a [Topic] of any rule names, each once.
func (p Policy) Topics() []string {
	var names []string
	for _, r := range p {
		for _, t := range r.On.tests {
			if its, ok := t.what.([]string); ok {
				names = append(names, its...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
