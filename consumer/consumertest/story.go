package consumertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// story is what happened: what the test did, deliveries and what came of them, commits and events. It is printed, with
// the log between its lines, when the test fails.
type story struct {
	mu    sync.Mutex
	lines []moment
}

type moment struct {
	at   time.Time
	text string
}

func (s *story) addf(format string, args ...any) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, moment{now, fmt.Sprintf(format, args...)})
}

// Story tells what has happened so far, a line each, in virtual time since Run began: what the test did, deliveries and
// what came of them, commits, events, and between them the log. It is printed when the test fails.
func (k *Kit) Story() string {
	k.story.mu.Lock()
	all := slices.Clone(k.story.lines)
	k.story.mu.Unlock()
	for _, l := range k.logs.all() {
		all = append(all, moment{l.Time, "    " + strings.Join(strings.Fields(l.String())[1:], " ")})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	var b strings.Builder
	for _, m := range all {
		fmt.Fprintf(&b, "%12v  %s\n", m.at.Sub(k.began), m.text)
	}
	return b.String()
}

// describeEvent is a line of the story; "" for what stands in it already.
func describeEvent(e messages.Event) string {
	switch e := e.(type) {
	case *messages.Failed:
		d := e.Decision
		next := d.Action.String()
		if d.Delay > 0 {
			next += fmt.Sprintf(" after %v", d.Delay)
		}
		return fmt.Sprintf("%s failed, attempt %d, class %v: %s (rule %q)", e.Failure.Where(), e.Failure.Attempt, e.Failure.Class, next, d.Rule)
	case *messages.Skipped:
		return fmt.Sprintf("%s is skipped by %s", headText(e.Head), e.By)
	case *messages.DeadLettered:
		return fmt.Sprintf("%s is written to %s by %s", headText(e.Head), e.To, e.By)
	case *messages.Parked:
		return fmt.Sprintf("%s is parked: %s", headText(e.Head), e.Reason)
	case *messages.Unparked:
		return fmt.Sprintf("%s is not parked any more: %s", headText(e.Head), e.By)
	case *messages.CommitFailed:
		return fmt.Sprintf("%v: the commit of %d failed, final %v: %v", e.Claim, e.Next, e.Final, e.Err)
	case *messages.ClaimAssigned:
		return fmt.Sprintf("%v begins at %d", e.Claim, e.Next)
	case *messages.ClaimRevoked:
		return fmt.Sprintf("%v is given up (%v), which took %v", e.Claim, e.Reason, e.Took)
	case *messages.ClaimLost:
		return fmt.Sprintf("%v is lost: %v", e.Claim, e.Err)
	case *messages.Abandoned:
		return fmt.Sprintf("%v: the handler of %d is abandoned: %v", e.Claim, e.Offset, e.Cause)
	case *messages.Moved:
		return fmt.Sprintf("%v goes from %d to %d: %s", e.Claim, e.From, e.To, e.Why)
	case *messages.BreakerOpened:
		return fmt.Sprintf("the breaker opens: %s (rule %q)", headText(e.Head), e.Rule)
	case *messages.BreakerClosed:
		return fmt.Sprintf("the breaker closes after %v: %v goes on", e.Open, e.Claim)
	case *messages.Stuck:
		return fmt.Sprintf("%v is stuck at %d since %v", e.Claim, e.Offset, e.Since)
	case *messages.Shed:
		return fmt.Sprintf("%v, parked for long, drops %d records from memory, from %d on", e.Claim, e.Records, e.From)
	default:
		return fmt.Sprintf("%T", e)
	}
}

func headText(h messages.Head) string { return fmt.Sprintf("%s/%d@%d", h.Topic, h.Partition, h.Offset) }

// describe is for the texts of failures.
func (k *Kit) describe() string {
	var b strings.Builder
	st := k.Status()
	fmt.Fprintf(&b, "phase %s, health %+v\n", st.Phase, st.Health)
	for _, p := range st.Partitions {
		fmt.Fprintf(&b, "  %v: %v, head %d, attempt %d, depth %d, %s %s\n", p.Claim, p.State, p.Head, p.Attempt, p.Depth, p.Reason, p.Error)
	}
	return b.String()
}
