package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

func (s *supervisor) revoked(claims []messages.Claim, deadline time.Time) {
	var gone []messages.Claim
	for _, mc := range claims {
		if w, ok := s.waiting[idOf(mc)]; ok && w.Sequence == mc.Sequence {
			delete(s.waiting, idOf(mc))
			gone = append(gone, mc)
			continue
		}
		c := s.claims[mc.Sequence]
		if c == nil {
			gone = append(gone, mc) // given up before, by a drain
			continue
		}
		s.giveUp(c, messages.ReasonRebalance, messages.ErrRevoked, deadline)
	}
	if len(gone) > 0 {
		s.link.Membership.Released(gone)
	}
}

// giveUp ends a claim in order: the record in flight may finish until the deadline.
func (s *supervisor) giveUp(c *claim, reason messages.Reason, cause error, deadline time.Time) {
	if c.leaving {
		if deadline.Before(c.deadline) {
			c.deadline = deadline
			s.deadlineAt(c, deadline)
		}
		return
	}
	s.detach(c)
	c.reason, c.cause, c.deadline = reason, cause, deadline
	c.mailbox.Revoke(&messages.Revoked{Claim: c.Claim, Reason: reason, Deadline: deadline})
	s.log.Info("revoked", c.log(), slog.String("reason", reason.String()), slog.Duration("deadline in", time.Until(deadline)))
	if !c.alive {
		s.flush(c)
		return
	}
	s.deadlineAt(c, deadline)
	s.decideAtTheEnd(c)
}

// decideAtTheEnd is for a claim about whose failed record a plain strategy has not decided yet; it may have meant to
// restart the actor in an hour. The next owner tries the record again. All else that an actor waits for does not
// keep it from its end.
func (s *supervisor) decideAtTheEnd(c *claim) {
	for _, p := range c.undecided() {
		s.carryOut(c, p, messages.Decision{Action: messages.ActionRetry, Rule: "strategy", Left: -1})
	}
}

// detach ends what would still bring something in.
func (s *supervisor) detach(c *claim) {
	c.leaving, c.leftAt = true, time.Now()
	if c.asking != nil {
		c.asking.end()
	}
	if c.opened {
		s.link.Source.Close(c.Claim)
	}
	c.start.clear()
	c.actor.clear()
}

// deadlineAt is for a claim whose handler may still take its time; a grace that has begun is not prolonged by a deadline.
func (s *supervisor) deadlineAt(c *claim, deadline time.Time) {
	if !c.overdue {
		s.after(&c.timer, max(0, time.Until(deadline)), func() { s.overdue(c) })
	}
}

// overdue: contexts end; who still does not return after a grace is abandoned. Where only the last commit is waited
// for, it is for a part of the reserve. It may be said again and again: the first time counts.
func (s *supervisor) overdue(c *claim) {
	if c.flushing {
		if !c.gone && c.endFlush != nil {
			s.after(&c.timer, max(0, time.Until(c.deadline)+s.set.flushing()), c.endFlush)
		}
		return
	}
	if !c.overdue {
		c.mailbox.Cancel(c.cause)
		s.grace(c)
	}
}

// grace is for a handler whose context has ended.
func (s *supervisor) grace(c *claim) {
	c.overdue = true
	s.after(&c.timer, s.set.grace(), func() {
		if c.alive && !c.abandoned {
			s.abandon(c)
		}
	})
}

// abandon leaves a handler behind that does not return: what was finished before is flushed, the claim is closed,
// and protoactor is told not to wait for the child.
func (s *supervisor) abandon(c *claim) {
	c.abandoned = true
	c.mailbox.Abandon(c.cause)
	s.ctx.Stop(c.pid)         // one that is suspended would not see that it is time to go
	p := c.mailbox.Progress() // frozen by Abandon
	at := p.Next
	if !c.lost && !s.set.StoreAlone && c.opened { // while a commit was under way, later ones waited in the mailbox
		c.commits.Commit(p, true, nil)
	}
	s.log.Error("a handler does not return: abandoned; what it still does is fenced off, its record will be handled again",
		c.log(), slog.Int64("offset", at), slog.Any("cause", c.cause))
	s.publish(&messages.Abandoned{Claim: c.Claim, Offset: at, Cause: c.cause})
	s.stop.stuck = append(s.stop.stuck, &stuckHandler{pid: c.pid.Id, where: fmt.Sprintf("%s/%d@%d", c.Topic, c.Partition, at)})
	if s.phase == draining && !c.lost { // it may still return before the end, and nobody commits its record
		s.stop.uncommitted(c, errAbandoned)
	}
	s.disown(c)
	s.flush(c)
}

var errAbandoned = errors.New("its handler did not return in time")

// disown makes protoactor forget the child: it would wait for its end before it lets the supervisor stop.
func (s *supervisor) disown(c *claim) {
	c.alive = false
	delete(s.byPID, c.pid.Id)
	if p, ok := s.ctx.ActorSystem().ProcessRegistry.Get(s.self); ok {
		p.SendSystemMessage(s.self, &actor.Terminated{Who: c.pid})
	}
}

// flush commits what is finished, then lets go.
func (s *supervisor) flush(c *claim) {
	if c.flushing {
		return
	}
	c.flushing = true
	stopTimer(&c.timer)
	c.actor.clear()
	if c.lost {
		s.letGo(c)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	c.endFlush = func() { cancel(errFlushLate) }
	s.after(&c.timer, max(0, time.Until(c.deadline))+s.set.flushing(), c.endFlush)
	s.background(func() func() {
		defer cancel(nil)
		err := c.commits.Flush(ctx)
		return func() { s.flushedOf(c, err) }
	})
}

var errFlushLate = errors.New("the last commit was not acknowledged in time")

// flushedOf goes on. Of a partition that does not exist any more nothing is lacking; that its offset was not committed is
// told when its commits are closed.
func (s *supervisor) flushedOf(c *claim, err error) {
	if err != nil && !c.lost && !errors.As(err, new(*GoneError)) {
		if s.phase == draining {
			s.stop.uncommitted(c, err)
		}
		s.log.Warn("the last offsets of a claim could not be committed: finished records may be handled again", c.log(), slog.Any("error", err))
	}
	s.letGo(c)
}

// letGo is the end of a claim: its commits are closed before anybody else can own the partition. A claim that fails here
// must not keep the consumer from its end: it is not looked at again.
func (s *supervisor) letGo(c *claim) {
	if c.gone {
		return
	}
	c.gone = true
	delete(s.claims, c.Sequence)
	stopTimer(&c.timer)
	c.end()
	c.commits.Close()
	s.attempt(func() { s.ended.Add(s.countersOf(c, c.mailbox.Snapshot())) })
	c.mailbox.Close()
	if c.lost {
		s.publish(&messages.ClaimLost{Claim: c.Claim, Err: c.lostBy})
	} else {
		took := time.Since(c.leftAt)
		s.log.Info("released", c.log(), slog.Duration("took", took))
		s.publish(&messages.ClaimRevoked{Claim: c.Claim, Reason: c.reason, Took: took})
		s.link.Membership.Released([]messages.Claim{c.Claim})
	}
	id := idOf(c.Claim)
	if s.current[id] == c {
		delete(s.current, id)
		if next, ok := s.waiting[id]; ok {
			delete(s.waiting, id)
			if s.phase == running {
				s.begin(next)
			}
		}
	}
	s.checkEnded()
}

func (s *supervisor) lost(claims []messages.Claim, err error) {
	s.belongs = s.belongs && len(claims) == 0 // until it has joined anew
	for _, mc := range claims {
		if w, ok := s.waiting[idOf(mc)]; ok && w.Sequence == mc.Sequence {
			delete(s.waiting, idOf(mc))
			continue
		}
		if c := s.claims[mc.Sequence]; c != nil {
			s.lose(c, err)
		}
	}
	s.checkEnded()
}

// lose ends a claim that somebody else may own already: nothing is sent for it any more.
func (s *supervisor) lose(c *claim, err error) {
	if c.lost {
		return
	}
	c.lost, c.lostBy = true, err
	if s.phase == draining && s.stop.err == nil && !s.set.StoreAlone { // of what was finished, nobody will say how much was committed
		s.stop.uncommitted(c, err)
	}
	if !c.leaving {
		s.detach(c)
	}
	c.cause = messages.ErrLost
	c.mailbox.Lose(&messages.Lost{Claim: c.Claim, Err: err}) // before Close, whose answer to a commit would let the next record out
	c.commits.Close()
	s.log.Warn("lost", c.log(), slog.Any("error", err))
	switch {
	case !c.alive:
		s.flush(c)
	default:
		if !c.overdue {
			s.grace(c)
		}
		s.decideAtTheEnd(c)
	}
}
