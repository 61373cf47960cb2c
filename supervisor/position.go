package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// blockedSource is a partition that cannot be read: commands on its head mean the offset that was asked for.
type blockedSource struct {
	offset int64
	start  bool  // it failed at the claim's start
	fence  int64 // that the store issued there
}

// lookUp finds where the claim begins.
func (s *supervisor) lookUp(c *claim) {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancelStart = cancel
	s.background(func() func() {
		defer cancel()
		start, err := c.commits.Start(ctx)
		return func() { s.lookedUp(c, start, err) }
	})
}

func (s *supervisor) lookedUp(c *claim, start Start, err error) {
	if c.leaving {
		return
	}
	var outside *OutOfRangeError
	switch {
	case errors.As(err, &outside):
		s.block(c, &blockedSource{outside.Offset, true, start.Fence}, err)
		return
	case err != nil:
		s.claimFault(c, s.faultOf(c, messages.ClassStore, err), &c.start, func() { s.lookUp(c) })
		return
	}
	if m := start.Moved; m != nil {
		m.Claim = c.Claim
		s.moved(c, *m)
	}
	c.faults, c.faultSince = Tally{}, time.Time{}
	s.open(c, start)
}

func (s *supervisor) open(c *claim, start Start) {
	c.blocked = nil
	if c.opened { // acquired again
		seek := c.mailbox.Reseek(start.Next, start.Fence)
		s.link.Source.Seek(c.Claim, start.Next, seek)
		return
	}
	c.opened = true
	seek := c.mailbox.Open(start.Next, start.Fence, start.Progress)
	s.link.Source.Open(c.Claim, start.Next, seek, c.mailbox)
	s.log.Info("assigned", c.log(), slog.Int64("next", start.Next), slog.Int("attempt", start.Progress.Attempt))
	s.publish(&messages.ClaimAssigned{Claim: c.Claim, Next: start.Next})
}

func (s *supervisor) moved(c *claim, m messages.Moved) {
	s.log.Warn("the position was moved", c.log(), slog.Int64("from", m.From), slog.Int64("to", m.To), slog.String("why", m.Why))
	s.publish(&m)
}

// sourceFailed: the partition cannot be read where it stands. An offset outside of the log follows the choice
// that was made for it; all else parks.
func (s *supervisor) sourceFailed(c *claim, offset int64, err error) {
	var outside *OutOfRangeError
	if !errors.As(err, &outside) {
		s.block(c, &blockedSource{offset: offset}, err)
		return
	}
	s.readable(c, offset, false, func(next int64, failed error) {
		switch {
		case c.leaving:
		case failed != nil:
			s.block(c, &blockedSource{offset: offset}, failed)
		default:
			s.moveTo(c, offset, next, "out of range")
		}
	})
}

// readable asks where the partition can be read. then is called in any case, also when the claim has ended.
func (s *supervisor) readable(c *claim, offset int64, skip bool, then func(int64, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancelStart = cancel
	s.background(func() func() {
		defer cancel()
		next, err := c.commits.Readable(ctx, offset, skip)
		if err == nil && s.set.Store && (skip || next < offset) { // else the store would lead back to where nothing can be read
			err = s.advance(c, next)
		}
		return func() { then(next, err) }
	})
}

func (s *supervisor) moveTo(c *claim, from, to int64, why string) {
	b := c.blocked
	c.blocked = nil
	if from != to {
		s.moved(c, messages.Moved{Claim: c.Claim, From: from, To: to, Why: why})
	}
	if !c.opened {
		start := Start{Next: to}
		if b != nil {
			start.Fence = b.fence
		}
		s.open(c, start)
		return
	}
	seek := c.mailbox.Reseek(to, c.mailbox.Fence())
	s.link.Source.Seek(c.Claim, to, seek)
}

// block parks a partition that cannot be read. The rules are not asked: there is no record to decide about.
func (s *supervisor) block(c *claim, b *blockedSource, err error) {
	c.blocked = b
	failure := s.faultOf(c, messages.ClassSource, err)
	d := messages.Decision{Action: messages.ActionPark, Reason: err.Error(), Rule: "source", Left: -1}
	s.logFailure(&failure, nil, d)
	c.mailbox.Note(failure, d)
	s.publish(&messages.Failed{Failure: failure, Decision: d})
	s.publish(&messages.Parked{Head: messages.Head{Topic: c.Topic, Partition: c.Partition, Offset: b.offset}, Reason: d.Reason})
}
