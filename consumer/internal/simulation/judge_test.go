package simulation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// judge holds what was decided about a record's failure against the model. It is told before the record comes again, and
// before a commit that passes it can have arrived.
func (l *ledger) judge(who *process, f *messages.Failure, d messages.Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if who.dead {
		return
	}
	s := who.seenOf(f.Partition)
	if f.Offset < 0 { // no record's; a window is one of the partition all the same
		t := taken{who.world.ruleOf(d), d.Step, f.Last}
		if early, is := who.early[f.Partition]; is {
			who.early[f.Partition] = append(early, t)
		} else {
			s.recent = append(s.recent, t)
		}
		return
	}
	l.notef("%s: %s/%d@%d failed (%v), decided: %v by step %d of %s", who.name, topic, f.Partition, f.Offset, f.Class, d.Action, d.Step+1, d.Rule)
	if why := l.decided(who, s, f, d); why != "" {
		l.violatef("%s decides %v about %s/%d@%d by step %d of %s%s", who.name, d.Action, topic, f.Partition, f.Offset, d.Step+1, d.Rule, why)
	}
	if d.Action != messages.ActionSkip && d.Action != messages.ActionDeadLetter {
		return
	}
	l.counts.givenUp++
	s.gone(f.Offset)
	if who.world.store == nil {
		l.leaves(f.Partition, f.Offset)
	}
}

// decided says what is wrong with a decision. It needs the lock.
func (l *ledger) decided(who *process, s *seen, f *messages.Failure, d messages.Decision) (why string) {
	w, q := who.world, s.life.asked
	switch {
	case q == nil || s.life.offset != f.Offset:
		if w.store != nil { // an attempt from before the store was acquired anew
			s.strange = true
			return ""
		}
		return ", which has not failed"
	case d.Action == messages.ActionDeadLetter && s.lettered != f.Offset:
		why = ", and no letter is acknowledged"
	}
	s.life.asked = nil
	if s.strange || s.life.blurred {
		s.adopt(w, f, d)
		return why
	}
	if q.letter && (d.Action == messages.ActionDeadLetter || f.Class != messages.ClassDeadLetter && w.store != nil) { // it is counted, and the store was not moved
		return why
	}
	if w.store != nil && d.Rule == "fenced" && errors.Is(q.err, messages.ErrFenced) {
		return why
	}
	l.counts.decisions++
	s.asks(who, q, f)
	if index, k, r := w.decide(s, q.class, q.err, f.Last); w.store != nil && !q.letter && r.do[k].gaveUp() && d.Action != r.do[k].action {
		// The store could not be moved: it is told as a failure of another class, behind the step that was taken.
		s.take(index, k, f.Last)
		if d.Rule == "fenced" || d.Rule == r.name && d.Step == k {
			return why
		}
		return cmp.Or(why, fmt.Sprintf(", want it skipped by step %d of %s", k+1, r.name))
	}
	switch {
	case f.Attempt != q.attempt:
		return fmt.Sprintf(" as attempt %d, want %d", f.Attempt, q.attempt)
	case f.Class != q.class && f.Class != messages.ClassDeadLetter && f.Class != messages.ClassTimeout:
		return fmt.Sprintf(" as %v, want %v", f.Class, q.class)
	case !f.First.Equal(s.life.first) || !f.Last.Equal(q.at):
		return fmt.Sprintf(", at %v and first at %v, want %v and %v", f.Last, f.First, q.at, s.life.first)
	}
	return cmp.Or(why, w.compare(s, f, d))
}

// asks: whoever was stopped between an attempt's end and the decision looks at the clock later.
func (s *seen) asks(who *process, q *question, f *messages.Failure) {
	l := &s.life
	if len(l.taken) == 0 {
		l.carried = q.attempt
	}
	if who.gate.since(q.at) {
		if l.first.Equal(q.at) {
			l.first = f.First
		}
		q.at = f.Last
	}
}

// compare takes the model's step, and says how the decision differs.
func (w *world) compare(s *seen, f *messages.Failure, d messages.Decision) string {
	index, k, r := w.decide(s, f.Class, f.Err, f.Last)
	s.take(index, k, f.Last)
	b := r.do[k]
	if d.Action == b.carriedOut(f.Class) && d.Rule == r.name && d.Step == k && d.Target == b.to && d.Left == s.left(index, k, r.do, f.Last) {
		return ""
	}
	return fmt.Sprintf(" to %q, %d left; want %v by step %d of %s to %q, %d left; attempt %d, carried %d, first failed at %v, now %v, taken %v",
		d.Target, d.Left, b.carriedOut(f.Class), k+1, r.name, b.to, s.left(index, k, r.do, f.Last), f.Attempt, s.life.carried, f.First, f.Last, s.life.taken)
}

// left is how often a step may be taken yet.
func (s *seen) left(index, k int, do []step, at time.Time) int {
	b, left := do[k], -1
	if k == len(do)-1 {
		return left
	}
	if b.times > 0 {
		left = max(0, b.times-s.life.applied(index, k, do))
	}
	if n := max(0, b.within-s.inWindow(index, k, b.window, at)); b.within > 0 && (left < 0 || n < left) {
		left = n
	}
	return left
}

// adopt counts what was decided, where the model does not know it.
func (s *seen) adopt(w *world, f *messages.Failure, d messages.Decision) {
	s.take(w.ruleOf(d), d.Step, f.Last)
}

// ruleOf is the index of the rule that is told.
func (w *world) ruleOf(d messages.Decision) int {
	switch i := slices.IndexFunc(w.table, func(r rule) bool { return r.name == d.Rule }); {
	case d.Rule == "directed by the handler":
		return directedRule
	case i < 0:
		return len(w.table)
	default:
		return i
	}
}

// gone: the record has left, in this claim.
func (s *seen) gone(offset int64) {
	s.stand = max(s.stand, offset+1)
	if s.life.offset == offset {
		s.life = life{offset: -1}
	}
}
