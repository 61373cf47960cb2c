package supervisor

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// Decide answers each failure of a partition in turn, jitter off: the pure form of [Policy.Next], for tables of tests. One
// of another offset than the failure before it is another record's. Within and For look at the failures' First and Last.
//
//	got := policy.Decide(f, f, f, f, f, f)
//	got[5].Action == messages.ActionPark
func (p Policy) Decide(history ...messages.Failure) []messages.Decision {
	var t Tally
	decisions := make([]messages.Decision, len(history))
	for i := range history {
		f := &history[i]
		if f.Offset != history[max(0, i-1)].Offset {
			t = t.Renew()
		}
		decisions[i] = p.Next(&t, f, nil)
	}
	return decisions
}

// Next decides about one more failure of the record whose tally t is, and counts it there. rnd is a source of
// random numbers in [0, 1) for the jitter, called at most once; nil means no jitter.
//
// What the handler has [Directed] applies, else the first rule that matches; and of its steps the first one whose budget is
// not spent; where all are (Validate refuses that), the last one repeats. A failure that no rule matches is decided as by
// [DefaultPolicy]. The delay of a Retry, Restart or Break is that of the step's n-th application to this record; a
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
// What Within and For count does not travel: they begin anew with each claim.
//
// Nothing resets a budget but the record's end (Times, For), the passing of time (Within), and the claim's end. An operator's
// retry is one more attempt: if it fails, the step that comes next applies.
func (p Policy) Next(t *Tally, f *messages.Failure, rnd func() float64) messages.Decision {
	index, rule := p.find(t, f)
	return rule.next(index, t, f, rnd)
}

// next decides by the rule of this index, whichever would apply.
func (r Rule) next(index int, t *Tally, f *messages.Failure, rnd func() float64) messages.Decision {
	steps := r.steps()
	if !t.begun {
		t.begun = true
		t.carry(index, steps, f.Attempt)
	}

	k := t.current(index, steps, f)
	step := steps[k]
	t.note(index, k, step, f)

	d := messages.Decision{
		Action: step.carriedOut(f),
		Rule:   r.name(), Step: k, Left: t.left(index, steps, k, f),
	}
	switch d.Action {
	case messages.ActionRetry, messages.ActionRestart, messages.ActionBreak:
		d.Delay = step.delay(f, t.applied[index][k], rnd)
	case messages.ActionDeadLetter:
		d.Target = step.to
	case messages.ActionPark:
		d.Reason = step.reason
		if d.Reason == "" {
			d.Reason = d.Rule
		}
	}
	return d
}

// find is the rule that applies, with its index; -1 is what the handler directed, len(p) the default. A nil policy needs no
// case of its own: none of its rules matches.
func (p Policy) find(t *Tally, f *messages.Failure) (int, Rule) {
	r, ok, err := directed(f.Err)
	if ok && err == nil {
		t.direct(r.Do)
		return -1, r
	}
	index, rule := len(p), defaultRule
	if i := slices.IndexFunc(p, func(r Rule) bool { return r.applies(f) }); i >= 0 {
		index, rule = i, p[i]
	}
	if err != nil {
		rule.Name = fmt.Sprintf("%s; what the handler directed is refused: %v", rule.name(), err)
	}
	return index, rule
}

// steps are the rule's, or the default's for a rule that has none (Validate refuses it): a policy that was not
// validated must not lose a record.
func (r Rule) steps() []Directive {
	if len(r.Do) == 0 {
		return defaultRule.Do
	}
	return r.Do
}

// applies says whether the rule is for f. Any, and whatever else does not name the class, is not for a dead letter that
// could not be written: a policy that skips what fails often would lose the records that another rule dead-letters, as soon
// as the brokers are away.
func (r Rule) applies(f *messages.Failure) bool {
	return r.On.matches(f) && (f.Class != messages.ClassDeadLetter || r.On.forLetters())
}

// givesUp tells a directive that ends the record.
func (d Directive) givesUp() bool {
	return d.action == messages.ActionSkip || d.action == messages.ActionDeadLetter
}

// carriedOut is what the step comes to after f.
func (d Directive) carriedOut(f *messages.Failure) messages.Action {
	action := d.action
	if action == messages.ActionDeadLetter && f.Offset < 0 || d.givesUp() && f.Class == messages.ClassDeadLetter {
		action = messages.ActionRetry // nothing to write; or nothing was written, and Validate refuses the rule
	}
	if action == messages.ActionBreak && f.Offset < 0 {
		action = messages.ActionRetry // there is no head to be the probe
	}
	switch {
	case action == messages.ActionRetry && (f.Class == messages.ClassPanic || f.Class == messages.ClassActorStopped):
		return messages.ActionRestart
	case action == 0: // a zero Directive, which Validate refuses: again, nothing may be lost
		return messages.ActionRestart
	default:
		return action
	}
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
