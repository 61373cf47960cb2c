package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// blockedSource is a partition that cannot be read: commands on its head mean the offset that was asked for.
type blockedSource struct {
	offset int64
	start  bool  // a look-up found it; else the source
	fence  int64 // that the store issued there
}

// inquiry is a question about where a claim stands, to a store, a coordinator or a broker, that is under way.
type inquiry struct{ end context.CancelFunc }

// inquire asks in the background. There is one inquiry of a claim at a time: a newer one ends the one before it, whose
// answer then is not current, as that of a claim that is being given up. then is called in any case, since somebody may
// wait for it.
func (s *supervisor) inquire(c *claim, ask func(ctx context.Context) (then func(current bool))) {
	if c.asking != nil {
		c.asking.end()
	}
	ctx, end := context.WithCancel(c.over)
	q := &inquiry{end}
	c.asking = q
	s.background(func() func() {
		defer end()
		then := ask(ctx)
		return func() {
			current := c.asking == q && !c.leaving
			if current {
				c.asking = nil
			}
			then(current)
		}
	})
}

// lookUp finds where the claim begins; again, where it goes on after it was acquired anew. Until it has succeeded nothing
// may move the store: the committer may have the new fence already, under which a move for an old record would be taken.
func (s *supervisor) lookUp(c *claim) {
	if c.skipping { // its answer says where the partition stands, and comes soon
		s.repairAfter(&c.start, time.Second, func() { s.lookUp(c) })
		return
	}
	c.start.clear()
	c.known = false
	s.inquire(c, func(ctx context.Context) func(bool) {
		start, err := c.commits.Start(ctx)
		err = actors.Sound(err) // a store may have answered it
		return func(current bool) {
			if current {
				s.lookedUp(c, start, err)
			}
		}
	})
}

func (s *supervisor) lookedUp(c *claim, start Start, err error) {
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
	c.faults, c.faultSince = c.tally.Renew(), time.Time{}
	s.open(c, start)
}

func (s *supervisor) open(c *claim, start Start) {
	c.blocked, c.known = nil, true
	if c.opened { // acquired again
		s.reseek(c, start.Next, start.Fence)
		return
	}
	c.opened = true
	c.release() // before Open, which may take over a park of the last owner's: that one was not meant
	seek := c.mailbox.Open(start.Next, start.Fence, start.Progress)
	s.link.Source.Open(c.Claim, start.Next, seek, c.mailbox)
	s.log.Info("assigned", c.log(), slog.Int64("next", start.Next), slog.Int("attempt", start.Progress.Attempt))
	s.publish(&messages.ClaimAssigned{Claim: c.Claim, Next: start.Next})
}

func (s *supervisor) reseek(c *claim, next, fence int64) {
	seek := c.mailbox.Reseek(next, fence)
	c.release() // not before: the backlog of until now is of the old fence
	s.link.Source.Seek(c.Claim, next, seek)
}

// release opens the gate where an operator has asked for it while it was not known where the claim stands. A park that
// the policy has decided on outlasts a new position; that it was un-parked must do so, too.
func (c *claim) release() {
	if c.unpark {
		c.unpark = false
		_ = c.mailbox.RetryHead(c.mailbox.Progress().Next) // an error says that nothing holds it
	}
}

func (s *supervisor) moved(c *claim, m messages.Moved) {
	s.log.Warn("the position was moved", c.log(), slog.Int64("from", m.From), slog.Int64("to", m.To), slog.String("why", m.Why))
	s.publish(&m)
}

// sourceFailed: the partition cannot be read where it stands. An offset outside of the log follows the choice
// that was made for it; all else parks.
//
// The mailbox has parked the partition, which a status shows, before it says why. So an operator may have been faster than
// this report: then the skip asks where the partition goes on, or has found it.
func (s *supervisor) sourceFailed(c *claim, offset int64, err error) {
	if !c.known { // the look-up that is under way, or due, will say where it is to be read
		return
	}
	if c.blocked != nil || offset != c.mailbox.Progress().Next {
		return
	}
	var outside *OutOfRangeError
	if !errors.As(err, &outside) {
		s.block(c, &blockedSource{offset: offset}, err)
		return
	}
	s.readable(c, offset, false, func(current bool, next int64, failed error) {
		switch {
		case !current:
		case failed != nil:
			s.block(c, &blockedSource{offset: offset}, failed)
		default:
			s.moveTo(c, offset, next, "out of range")
		}
	})
}

// readable asks where the partition can be read. then is called in any case, also when the claim has ended.
func (s *supervisor) readable(c *claim, offset int64, skip bool, then func(current bool, next int64, err error)) {
	s.inquire(c, func(ctx context.Context) func(bool) {
		next, err := c.commits.Readable(ctx, offset, skip)
		err = actors.Sound(err)
		if err == nil && s.set.Store && (skip || next < offset) { // else the store would lead back to where nothing can be read
			err = s.advance(c, next)
		}
		return func(current bool) { then(current, next, err) }
	})
}

func (s *supervisor) moveTo(c *claim, from, to int64, why string) {
	fence := c.mailbox.Fence()
	if b := c.blocked; b != nil && b.start { // it was acquired, before it was found that it cannot be read there
		fence = b.fence
	}
	if from != to {
		s.moved(c, messages.Moved{Claim: c.Claim, From: from, To: to, Why: why})
	}
	s.open(c, Start{Next: to, Fence: fence})
}

// block parks a partition that cannot be read. The rules are not asked: there is no record to decide about.
func (s *supervisor) block(c *claim, b *blockedSource, err error) {
	c.blocked, c.unpark = b, false
	failure := s.faultOf(c, messages.ClassSource, err)
	d := messages.Decision{Action: messages.ActionPark, Reason: err.Error(), Rule: "source", Left: -1}
	s.logFailure(&failure, nil, d)
	c.mailbox.Note(failure, d)
	s.publish(&messages.Failed{Failure: failure, Decision: d})
	s.publish(&messages.Parked{Head: messages.Head{Topic: c.Topic, Partition: c.Partition, Offset: b.offset}, Reason: d.Reason})
}
