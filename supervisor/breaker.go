package supervisor

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// newBreaker makes the one of an incarnation: the partitions of the next one are assigned anew, and it begins closed.
func (s *supervisor) newBreaker() *actors.Breaker {
	in := s.in
	return actors.NewBreaker(func(c actors.BreakerChange) { in.post(func() { s.breakerChanged(c) }) })
}

func (s *supervisor) breakerChanged(c actors.BreakerChange) {
	if c.Opened {
		s.breakerOpened(&c.Failure, c.Decision)
		return
	}
	s.breakerClosed(c)
}

func (s *supervisor) breakerOpened(f *messages.Failure, d messages.Decision) {
	s.log.Warn("the breaker is open: all partitions hold until a probe succeeds",
		slog.String("probe", f.Where()), slog.Duration("after", d.Delay), slog.String("rule", d.Rule), slog.Any("error", f.Err))
	s.publish(&messages.BreakerOpened{Head: headOf(f), Rule: d.Rule})
}

func (s *supervisor) breakerClosed(r actors.BreakerChange) {
	s.log.Info("the breaker is closed: a probe succeeded, all partitions go on",
		slog.String("probe", r.Claim.String()), slog.Duration("open", r.Open))
	s.publish(&messages.BreakerClosed{Claim: r.Claim, Open: r.Open})
}

// breakerText is the breaker's line in the status; empty while it is closed.
func (s *supervisor) breakerText() string {
	b := s.breaker.State()
	if !b.Open {
		return ""
	}
	text := "open since " + b.Since.Format(time.RFC3339)
	switch {
	case b.Out:
		return text + fmt.Sprintf(": the head of %s/%d is being tried", b.Probe.Topic, b.Probe.Partition)
	case b.Probe != nil:
		return text + fmt.Sprintf(": the head of %s/%d is tried at %s", b.Probe.Topic, b.Probe.Partition, b.Next.Format(time.RFC3339))
	}
	return text + fmt.Sprintf(": the next head of any partition is tried, not before %s", b.Next.Format(time.RFC3339))
}
