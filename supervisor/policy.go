package supervisor

import (
	"errors"
	"fmt"

	"github.com/ottla-go/ottla/messages"
)

// Policy is what failures mean: an ordered list of rules, of which the first one that matches applies. nil is
// [DefaultPolicy], and so is what no rule matches. Every failure of every partition goes through it, of
// whatever origin. Do not change a Policy that is in use; reading it is safe for concurrent use.
//
//	supervisor.Policy{
//		supervisor.On(supervisor.Is(ErrUnknownCustomer), supervisor.Park("customer is not known yet")),
//		supervisor.On(supervisor.Panic(), supervisor.Restart(supervisor.Quick()).Times(3), supervisor.Skip()),
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
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
		}
		switch {
		case r.On.match == nil:
			fault("has no matcher: make the rule with On(Any(), …), On(Panic(), …) or On(Is(err), …)")
		case r.On.fault != "":
			fault("%s", r.On.fault)
		default:
			for j, earlier := range p[:i] {
				if earlier.On.covers != nil && earlier.On.covers(r.On) {
					fault("is never reached: rule %d (%s) comes first and matches all of it; put this rule before that one, or remove it", j+1, earlier.name())
					break
				}
			}
		}
		if len(r.Do) == 0 {
			fault("has no steps: add a directive, for example Retry(Backoff{})")
		}
		for k, d := range r.Do {
			for _, err := range d.faults(k == len(r.Do)-1) {
				faults = append(faults, fmt.Errorf("%s: step %d (%s): %w", where, k+1, d.action, err))
			}
		}
	}
	return errors.Join(faults...)
}

// faults are all of the step's; last says that no step follows.
func (d Directive) faults(last bool) []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if d.action == 0 {
		fault("is a zero Directive: use Retry, Restart, Skip, Park or Escalate")
		return faults
	}
	switch {
	case d.limited && d.times < 1:
		fault("Times(%d) never applies: use 1 or more, or remove the step", d.times)
	case d.limited && last:
		fault("Times(%d) on the last step leaves open what comes after: add a step behind it, for example Park(reason), or remove Times", d.times)
	case d.action == messages.ActionSkip && !last:
		fault("a skipped record does not fail again, so that the steps behind it are never reached: make Skip the last step")
	case !d.limited && !last:
		fault("has no budget, so that the steps behind it are never reached: add .Times(n), or remove those")
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
