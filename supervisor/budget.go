package supervisor

import (
	"errors"
	"fmt"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// budget says how long a step applies before the rule's next one does. Where it has several limits, the first that is
// reached counts.
type budget struct {
	limited  bool // times counts
	times    int
	windowed bool // within and window count
	within   int
	window   time.Duration
	aged     bool // elapsed counts
	elapsed  time.Duration
}

// mostWithin bounds what is remembered of a partition.
const mostWithin = 10_000

// Times limits the step to n applications per record; then the rule's next step applies. Retry(b).Times(5)
// means six deliveries: the first one and five retries. n is at least 1.
//
// The count is the record's: it survives a restart and a park, and through the commit's metadata the owner, see
// [Policy.Next]. It ends with the record.
func (d Directive) Times(n int) Directive {
	d.budget.limited, d.budget.times = true, n
	return d
}

// Within limits the step to n applications per partition, whatever the record, in any window of that length; when they are
// used up, the rule's next step applies. Restart(b).Within(3, time.Minute) takes three panics in a minute for bad records,
// or bad luck, and a fourth for something else. When the window has moved on, the step applies again. n is 1 to 10,000.
//
// The window is the claim's: it survives restarts, parks and successes, and a new owner begins with an empty one.
func (d Directive) Within(n int, window time.Duration) Directive {
	d.budget.windowed, d.budget.within, d.budget.window = true, n, window
	return d
}

// For limits the step to the time since the record's first failure in this claim; then the rule's next step applies. It is
// looked at when the record fails: a delay that is longer than what is left is waited for. A new owner begins anew.
func (d Directive) For(elapsed time.Duration) Directive {
	d.budget.aged, d.budget.elapsed = true, elapsed
	return d
}

// any says whether there is a limit.
func (b budget) any() bool { return b.limited || b.windowed || b.aged }

// spent says whether the step that was applied so often to the record, and at these times to the partition, does not
// apply to f any more.
func (b budget) spent(applied int, recent []time.Time, f *messages.Failure) bool {
	switch {
	case b.limited && applied >= max(0, b.times):
		return true
	case b.windowed && b.inWindow(recent, f.Last) >= max(0, b.within):
		return true
	default:
		return b.aged && f.Last.Sub(f.First) >= b.elapsed
	}
}

// left is how many more applications there are after these; -1 where no limit is one of applications.
func (b budget) left(applied int, recent []time.Time, f *messages.Failure) int {
	left := -1
	if b.limited {
		left = max(0, b.times-applied)
	}
	if b.windowed {
		n := max(0, b.within-b.inWindow(recent, f.Last))
		if left < 0 || n < left {
			left = n
		}
	}
	return left
}

// inWindow counts the applications in the window that ends now; one that is as old as the window is not in it.
func (b budget) inWindow(recent []time.Time, now time.Time) int {
	n := 0
	for _, at := range recent {
		if now.Sub(at) < b.window {
			n++
		}
	}
	return n
}

// note remembers one more application, and not more than the window's limit asks for.
func (b budget) note(recent []time.Time, now time.Time) []time.Time {
	if !b.windowed {
		return nil
	}
	if n := len(recent) + 1 - min(max(1, b.within), mostWithin); n > 0 {
		recent = append(recent[:0], recent[n:]...)
	}
	return append(recent, now)
}

// String is ", 3 times, 5 times within 1m, for 10m": what Explain says behind the step.
func (b budget) String() string {
	var s string
	switch {
	case b.limited && b.times == 1:
		s += ", once"
	case b.limited:
		s += fmt.Sprintf(", %d times", b.times)
	}
	if b.windowed {
		s += fmt.Sprintf(", %d times within %s per partition", b.within, brief(b.window))
	}
	if b.aged {
		s += ", for " + brief(b.elapsed)
	}
	return s
}

// faults are all of the budget's; last says that no step follows.
func (b budget) faults(last bool) []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	const open = "on the last step leaves open what comes after: add a step behind it, for example Park(reason), or remove"
	if b.limited {
		switch {
		case b.times < 1:
			fault("Times(%d) never applies: use 1 or more, or remove the step", b.times)
		case last:
			fault("Times(%d) %s Times", b.times, open)
		}
	}
	if b.windowed {
		switch {
		case b.within < 1 || b.within > mostWithin:
			fault("Within(%d, %v) has a number out of range: use 1 to %d", b.within, b.window, mostWithin)
		case b.window <= 0:
			fault("Within(%d, %v) has no window: use more than 0, for example time.Minute", b.within, b.window)
		case last:
			fault("Within(%d, %v) %s Within", b.within, b.window, open)
		}
	}
	if b.aged {
		switch {
		case b.elapsed <= 0:
			fault("For(%v) never applies: use more than 0, or remove the step", b.elapsed)
		case last:
			fault("For(%v) %s For", b.elapsed, open)
		}
	}
	return faults
}

// errNoBudget is what Validate says of a step that is not the last.
var errNoBudget = errors.New("has no budget, so that the steps behind it are never reached: add .Times(n), .Within(n, window) or .For(time), or remove those")
