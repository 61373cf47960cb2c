package supervisor

import (
	"log/slog"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// stuckReports are those about one claim.
type stuckReports struct {
	since time.Time // what was reported has begun then; zero: nothing
	next  time.Time // of the same
}

// stuckLooks is how often it is looked within StuckAfter, the shortest one of all topics: a mailbox reads no clock for a record, so that what is under way
// is only known since somebody has looked.
const stuckLooks = 8

// watchStuck looks for handlers that do not return, as long as there are claims.
func (s *supervisor) watchStuck() {
	after := s.set.stuckAfter()
	if after <= 0 || s.watching != nil || len(s.claims) == 0 {
		return
	}
	s.after(&s.watching, max(after/stuckLooks, 10*time.Millisecond), func() {
		s.lookForStuck()
		s.watchStuck()
	})
}

// lookForStuck reports all that is stuck. The stacks are looked for once for all of them, and off the actor's turn.
func (s *supervisor) lookForStuck() {
	found := map[*claim]actors.Stuck{}
	var running []*actors.Mailbox
	for _, c := range s.claims {
		if what, due := s.stuck(c); due {
			found[c] = what
			if !what.Kept {
				running = append(running, c.mailbox)
			}
		}
	}
	if len(found) == 0 {
		return
	}
	s.background(func() func() {
		stacks := actors.Stacks(running...)
		return func() {
			for c, what := range found {
				s.reportStuck(c, what, stacks[c.mailbox])
			}
		}
	})
}

// stuck answers what is to be reported of a claim now: once, and then whenever the time of it has doubled. A claim that is
// being given up has a deadline.
func (s *supervisor) stuck(c *claim) (what actors.Stuck, due bool) {
	if c.leaving {
		return what, false
	}
	what, stuck := c.mailbox.Stuck()
	now, told := time.Now(), &c.stuckTold
	if told.since.Equal(what.Since) && now.Before(told.next) {
		return what, false
	}
	if !told.since.IsZero() && !told.since.Equal(what.Since) {
		s.log.Info("what was stuck has come to an end", c.log(), slog.Duration("took at least", now.Sub(told.since)))
	}
	*told = stuckReports{}
	if stuck {
		*told = stuckReports{since: what.Since, next: now.Add(now.Sub(what.Since))}
	}
	return what, stuck
}

func (s *supervisor) reportStuck(c *claim, what actors.Stuck, stack string) {
	text := "a handler does not return: its partition waits, other partitions go on"
	switch {
	case what.Kept:
		text = "a record was kept and is not completed: its partition waits, other partitions go on"
	case what.Offset < 0:
		text = "an actor does not return from a message, or a hook does not: its partition waits, other partitions go on"
	}
	attrs := []any{c.log(), slog.Int64("offset", what.Offset), slog.Int("attempt", what.Attempt), slog.Time("since", what.Since), slog.Duration("for", time.Since(what.Since))}
	if stack != "" {
		attrs = append(attrs, slog.String("stack", stack))
	}
	s.log.Warn(text, attrs...)
	s.publish(&messages.Stuck{Claim: c.Claim, Offset: what.Offset, Attempt: what.Attempt, Since: what.Since, Kept: what.Kept, Stack: stack})
}
