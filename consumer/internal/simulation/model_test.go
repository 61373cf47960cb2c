package simulation

import (
	"errors"
	"fmt"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// The model of a policy: what is to be done about a failure, by counting through all that was done before. It is as naive as
// the table is written, and shares nothing with the product.
//
// # What exact means
//
// In one claim, a record's attempts are numbered without a gap from what the committed metadata carries on, which is 0 where
// it says nothing, and every attempt that fails is decided about once, before the next one: by the first rule that
// matches, and its first step whose budget is not spent. Times counts what was decided about the record in this claim, and what
// it failed before, which is taken for failures of the rule that matches first; Within what was decided about the partition in
// this claim; For from the record's first failure in this claim.
//
// Over owners, exact is what was committed. A failure is committed with its number as soon as the group takes it. An owner that is
// lost, killed, or cannot commit leaves an older number behind, or none, and its last failures are not counted by
// the next one: a step may be taken that much more often, by each such owner. It is never taken less often: no commit carries
// more attempts than have failed, whoever made them.
//
// With an offset store attempts are not carried. Where it issues the position anew in the middle of a claim (it was fenced,
// a handler seeks), the record that the partition stands at may begin again at 0, or go on; what was counted goes on in either
// case. Nothing is checked of that record then, but for the windows of those behind it.

// life is what happens to a record in one claim, from its first delivery until it leaves.
type life struct {
	offset  int64 // -1: nobody's
	failed  int   // attempts, with those of earlier owners
	carried int   // those that failed before anything was decided here
	first   time.Time
	taken   []taken
	asked   *question // the failure that is not decided yet
	blurred bool      // see above
}

// taken is a step that was taken.
type taken struct {
	rule, step int
	at         time.Time
}

// question is a failure, and what the policy is asked about.
type question struct {
	class   messages.Class
	err     error
	at      time.Time
	attempt int
	letter  bool // it was decided that a dead letter is written
}

// directedRule is the index of what a handler directs.
const directedRule = -1

// find is the rule for a failure.
func (w *world) find(class messages.Class, err error) (int, rule) {
	if w.directed != nil && errors.Is(err, errHopeless) {
		return directedRule, rule{name: "directed by the handler", do: w.directed}
	}
	for i, r := range w.table {
		if r.is(class, err) && (r.letters || class != messages.ClassDeadLetter) {
			return i, r
		}
	}
	return len(w.table), rule{name: "default", do: []step{retry(0)}}
}

// decide is which step comes next, of which rule.
func (w *world) decide(s *seen, class messages.Class, err error, at time.Time) (index, k int, r rule) {
	index, r = w.find(class, err)
	for k = range len(r.do) - 1 {
		if !s.spent(index, k, r.do, at) {
			return index, k, r
		}
	}
	return index, len(r.do) - 1, r
}

// spent says whether a step's budget is.
func (s *seen) spent(index, k int, do []step, at time.Time) bool {
	b := do[k]
	return b.times > 0 && s.life.applied(index, k, do) >= b.times ||
		b.within > 0 && s.inWindow(index, k, b.window, at) >= b.within ||
		b.age > 0 && at.Sub(s.life.first) >= b.age
}

// applied is how often a step was taken about the record. What it failed under earlier owners is the share of the rule that was
// the first one here.
func (l *life) applied(index, k int, do []step) (n int) {
	for _, t := range l.taken {
		if t.rule == index && t.step == k {
			n++
		}
	}
	if len(l.taken) > 0 && l.taken[0].rule != index {
		return n
	}
	shares := make([]int, len(do))
	for range l.carried {
		j := 0
		for j < len(do)-1 && do[j].times > 0 && shares[j] == do[j].times {
			j++
		}
		shares[j]++
	}
	return n + shares[k]
}

// inWindow is how often a step was taken about the partition, lately.
func (s *seen) inWindow(index, k int, window time.Duration, at time.Time) (n int) {
	for _, t := range s.recent {
		if t.rule == index && t.step == k && at.Sub(t.at) < window {
			n++
		}
	}
	return n
}

// take notes a step.
func (s *seen) take(index, k int, at time.Time) {
	s.life.taken = append(s.life.taken, taken{index, k, at})
	s.recent = append(s.recent, taken{index, k, at})
}

// carriedOut is what a step comes to: an actor that panicked does not go on, and what cannot be written is not given up.
func (s step) carriedOut(class messages.Class) messages.Action {
	if s.action == messages.ActionRetry && class == messages.ClassPanic {
		return messages.ActionRestart
	}
	return s.action
}

// gaveUp says that the step lets the record go.
func (s step) gaveUp() bool {
	return s.action == messages.ActionSkip || s.action == messages.ActionDeadLetter
}

// begins says what is wrong with the number of an attempt, at which the record's life may begin.
func (s *seen) begins(r *messages.Record, stored bool) (why string) {
	l := &s.life
	if l.offset != r.Offset {
		*l = life{offset: r.Offset, failed: s.attempts(r.Offset)}
		l.blurred = stored && r.Attempt != l.failed
	}
	switch {
	case l.blurred:
		l.failed, l.asked = r.Attempt, nil
	case l.asked != nil:
		why = ", and nothing was decided about the failure before"
	case r.Attempt != l.failed:
		why = fmt.Sprintf(" as attempt %d, after %d that have failed", r.Attempt, l.failed)
	}
	l.asked = nil
	l.failed = r.Attempt
	return why
}

// attempts are those that have failed at a record, the last one that it stands at or one that was not delivered here yet.
func (s *seen) attempts(offset int64) int {
	switch offset {
	case s.life.offset:
		return s.life.failed
	case s.carry.offset:
		return s.carry.attempts
	}
	return 0
}

// knows: the number of a record's attempts is exact.
func (s *seen) knows(r *messages.Record) bool {
	return r.Fence == s.fence && !s.strange && !s.life.blurred && s.claim > 0
}

// fails: an attempt did.
func (s *seen) fails(r *messages.Record, class messages.Class, err error) {
	if l := &s.life; l.offset == r.Offset {
		now := time.Now()
		if l.failed++; l.first.IsZero() {
			l.first = now
		}
		l.asked = &question{class: class, err: err, at: now, attempt: r.Attempt}
	}
}

// moved: the position was issued anew.
func (s *seen) moved() { s.life.blurred = s.life.offset >= 0 }
