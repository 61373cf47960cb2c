package supervisor

import (
	"math"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// Tally is what a policy remembers of one record, and of its partition. The zero value is ready and stands for a record
// that has not failed yet, of a partition in which nothing has. For the partition's next record take what [Tally.Renew]
// answers. A Tally is not safe for concurrent use, and belongs to the one Policy it was used with.
type Tally struct {
	begun    bool
	applied  map[int][]int // by rule, as find numbers them: how often each of its steps was applied to the record
	directed string        // what the record's last Directed came to
	windows  *windows      // the partition's; nil: nothing was applied yet
}

// windows are the times at which steps were applied to a partition, as far as their Within asks for.
type windows struct {
	recent map[[2]int][]time.Time // by rule and step
}

// Renew answers a tally for another record of the same partition: what counts per record begins anew, what counts per
// partition goes on. Both may be used in turn.
func (t *Tally) Renew() Tally {
	if t.windows == nil {
		t.windows = &windows{recent: map[[2]int][]time.Time{}}
	}
	return Tally{windows: t.windows}
}

// counts are the applications of one rule's steps.
func (t *Tally) counts(rule, steps int) []int {
	if t.applied == nil {
		t.applied = map[int][]int{}
	}
	for len(t.applied[rule]) < steps {
		t.applied[rule] = append(t.applied[rule], 0)
	}
	return t.applied[rule]
}

// direct begins anew where the handler asks for other steps than the last time.
func (t *Tally) direct(steps []Directive) {
	if text := texts(steps); text != t.directed {
		t.directed = text
		delete(t.applied, -1)
	}
}

func (t *Tally) recent(rule, step int) []time.Time {
	if t.windows == nil {
		return nil
	}
	return t.windows.recent[[2]int{rule, step}]
}

// note counts an application of a step.
func (t *Tally) note(rule, step int, d Directive, f *messages.Failure) {
	t.applied[rule][step] = increment(t.applied[rule][step], 1)
	if !d.budget.windowed {
		return
	}
	if t.windows == nil {
		t.Renew()
	}
	key := [2]int{rule, step}
	t.windows.recent[key] = d.budget.note(t.windows.recent[key], f.Last)
}

// current is the first step whose budget is not spent, else the last.
func (t *Tally) current(rule int, steps []Directive, f *messages.Failure) int {
	last := len(steps) - 1
	applied := t.counts(rule, len(steps))
	for k, d := range steps[:last] {
		if !d.budget.spent(applied[k], t.recent(rule, k), f) {
			return k
		}
	}
	return last
}

// carry lets earlier failures under other owners, of which only the number is known, walk through the steps. Times is all
// that counts there; what is limited otherwise takes all that are left.
func (t *Tally) carry(rule int, steps []Directive, failures int) {
	applied := t.counts(rule, len(steps))
	for k, d := range steps {
		if failures <= 0 {
			return
		}
		n := failures
		if d.budget.limited && k < len(steps)-1 {
			n = min(n, max(0, d.budget.times-applied[k]))
		}
		applied[k] = increment(applied[k], n)
		failures -= n
	}
}

// left is how many more applications step k has; -1 where it has no limit. The last step repeats for ever,
// with or without a budget.
func (t *Tally) left(rule int, steps []Directive, k int, f *messages.Failure) int {
	if k == len(steps)-1 {
		return -1
	}
	return steps[k].budget.left(t.applied[rule][k], t.recent(rule, k), f)
}

// increment adds without overflow: a count that arrives from a foreign commit may be anything.
func increment(n, by int) int {
	if n > math.MaxInt-by {
		return math.MaxInt
	}
	return n + by
}
