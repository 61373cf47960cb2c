package supervisor

import (
	"errors"
	"math"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// Tally is what a policy remembers of one record: per rule, how often each of its steps was applied. The zero
// value is ready and stands for a record that has not failed yet. Keep one per record and throw it away when
// the record is finished; it is not safe for concurrent use. A Tally belongs to the one Policy it was used with.
type Tally struct {
	begun   bool
	applied [][]int // [rule][step]; the rule behind the last one is DefaultPolicy's
}

// Decide answers each failure of one record in turn, jitter off: the pure form of [Policy.Next], for tables of
// tests.
//
//	got := policy.Decide(f, f, f, f, f, f)
//	got[5].Action == messages.ActionPark
func (p Policy) Decide(history ...messages.Failure) []messages.Decision {
	var t Tally
	decisions := make([]messages.Decision, len(history))
	for i := range history {
		decisions[i] = p.Next(&t, &history[i], nil)
	}
	return decisions
}

// Next decides about one more failure of the record whose tally t is, and counts it there. rnd is a source of
// random numbers in [0, 1) for the jitter, called at most once; nil means no jitter.
//
// The first rule that matches applies, and of its steps the first one whose budget is not spent; where all are
// (Validate refuses that), the last one repeats. A failure that no rule matches is decided as by
// [DefaultPolicy]. The delay of a Retry or Restart is that of the step's n-th application to this record; a
// [messages.RetryError] in the failure's chain overrides it, without jitter. It counts as an application all
// the same.
//
// Retry is carried out as Restart after a panic (the actor's state is suspect), and after an actor stopped
// itself (there is no incarnation to retry with).
//
// A fresh tally that meets Attempt = a > 0 belongs to a record that failed a times before its partition came
// here: the attempts travel with the committed offset, what they were does not. All a count as failures of
// the rule that matches now, and walk through its steps' budgets in order. With Retry(b).Times(3), Park: a
// record that failed twice under its last owner is retried once more here, after b.Delay(3), and then parked.
func (p Policy) Next(t *Tally, f *messages.Failure, rnd func() float64) messages.Decision {
	index, rule := p.find(f)
	steps := rule.steps()
	applied := t.counts(index, len(steps))
	if !t.begun {
		t.begun = true
		carry(steps, applied, f.Attempt)
	}

	k := current(steps, applied)
	step := steps[k]
	applied[k] = increment(applied[k], 1)

	d := messages.Decision{
		Action: step.carriedOut(f.Class),
		Rule:   rule.name(), Step: k, Left: left(steps, applied, k),
	}
	switch d.Action {
	case messages.ActionRetry, messages.ActionRestart:
		d.Delay = step.delay(f, applied[k], rnd)
	case messages.ActionPark:
		d.Reason = step.reason
		if d.Reason == "" {
			d.Reason = d.Rule
		}
	}
	return d
}

// find is the rule that applies, with its index; len(p) is the default's. nil needs no case of its own: none
// of its rules matches.
func (p Policy) find(f *messages.Failure) (int, Rule) {
	for i, r := range p {
		if r.On.matches(f) {
			return i, r
		}
	}
	return len(p), defaultRule
}

// steps are the rule's, or the default's for a rule that has none (Validate refuses it): a policy that was not
// validated must not lose a record.
func (r Rule) steps() []Directive {
	if len(r.Do) == 0 {
		return defaultRule.Do
	}
	return r.Do
}

// carriedOut is what the step comes to after a failure of that class.
func (d Directive) carriedOut(class messages.Class) messages.Action {
	switch {
	case d.action == messages.ActionRetry && (class == messages.ClassPanic || class == messages.ClassActorStopped):
		return messages.ActionRestart
	case d.action == 0: // a zero Directive, which Validate refuses: again, nothing may be lost
		return messages.ActionRestart
	default:
		return d.action
	}
}

// counts are the applications of one rule's steps.
func (t *Tally) counts(rule, steps int) []int {
	for len(t.applied) <= rule {
		t.applied = append(t.applied, nil)
	}
	for len(t.applied[rule]) < steps {
		t.applied[rule] = append(t.applied[rule], 0)
	}
	return t.applied[rule]
}

// current is the first step whose budget is not spent, else the last.
func current(steps []Directive, applied []int) int {
	last := len(steps) - 1
	for k, d := range steps[:last] {
		if budget, limited := d.budget(); !limited || applied[k] < budget {
			return k
		}
	}
	return last
}

// carry lets earlier failures, whose nature is not known, walk through the steps.
func carry(steps []Directive, applied []int, failures int) {
	for failures > 0 {
		k := current(steps, applied)
		n := failures
		if budget, limited := steps[k].budget(); limited && k < len(steps)-1 {
			n = min(n, budget-applied[k])
		}
		applied[k] = increment(applied[k], n)
		failures -= n
	}
}

// left is how many more applications step k has; -1 where it has no limit. The last step repeats for ever,
// with or without a budget.
func left(steps []Directive, applied []int, k int) int {
	budget, limited := steps[k].budget()
	if !limited || k == len(steps)-1 {
		return -1
	}
	return budget - applied[k]
}

// delay is that of the step's n-th application.
func (d Directive) delay(f *messages.Failure, n int, rnd func() float64) (delay time.Duration) {
	var hint *messages.RetryError
	if errors.As(f.Err, &hint) {
		return max(0, hint.After)
	}
	delay = d.backoff.Delay(n)
	if rnd != nil && d.backoff.Jitter != NoJitter {
		delay = d.backoff.Jitter.spread(delay, rnd())
	}
	return delay
}

// increment adds without overflow: a count that arrives from a foreign commit may be anything.
func increment(n, by int) int {
	if n > math.MaxInt-by {
		return math.MaxInt
	}
	return n + by
}
