package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// drain finishes what is in flight, commits, leaves the group, and then stops. It does nothing the second time.
func (s *supervisor) drain(timeout time.Duration) {
	if s.phase != running {
		return
	}
	s.phase = draining
	if timeout <= 0 {
		timeout = s.set.DrainTimeout
	}
	s.log.Info("draining", slog.Duration("timeout", timeout), slog.Int("claims", len(s.claims)))
	deadline := time.Now().Add(timeout)
	clear(s.waiting) // not begun: Leave tells Revoked for them
	s.leave(timeout) // first: should a claim fail here, the group is left all the same
	for _, c := range s.claims {
		s.giveUp(c, messages.ReasonShutdown, messages.ErrStopped, deadline)
	}
}

// leave leaves the group, which waits for what is still owned, but not for ever.
func (s *supervisor) leave(timeout time.Duration) {
	ctx, cut := context.WithCancelCause(context.Background())
	s.stop.cutLeave = func() { cut(errHurried) }
	s.background(func() func() {
		ctx, cancel := context.WithTimeout(ctx, timeout+s.leaving())
		defer cancel()
		err := errLeaveFailed
		ok := s.attempt(func() { err = s.link.Membership.Leave(ctx) })
		return func() {
			if !ok && s.stop.err == nil {
				s.stop.err = err
			}
			s.leftGroup(err)
		}
	})
}

// leaving is how long the end may take once handlers' contexts have ended: for handlers to return, the last commits, and
// the leave.
func (s *supervisor) leaving() time.Duration { return s.set.grace() + s.set.Reserve }

var (
	errLeaveFailed = errors.New("ottla: the supervisor failed: the group was not left")
	errHurried     = errors.New("a stop does not wait for it any longer")
)

func (s *supervisor) leftGroup(err error) {
	s.stop.left = true
	stopTimer(&s.stop.hurry)
	if err != nil {
		s.stop.leave = err
		s.log.Warn("the group was not left in order: the members that stay wait for the session timeout", slog.Any("error", err))
	}
	if s.stop.crashed { // a claim may have been left in the middle of its end
		s.kill()
		return
	}
	s.checkEnded()
}

// stopNow is a drain that does not wait for handlers: their contexts end at once. The leave, too, which may have the
// patience of a long drain, is waited for no longer than the rest takes.
func (s *supervisor) stopNow() {
	if s.phase == stopped {
		return
	}
	s.drain(0)
	now := time.Now()
	for _, c := range s.claims {
		if !c.lost {
			if now.Before(c.deadline) {
				c.deadline = now
			}
			s.overdue(c)
		}
	}
	if s.stop.cutLeave != nil && !s.stop.left && s.stop.hurry == nil {
		s.after(&s.stop.hurry, s.leaving(), s.stop.cutLeave)
	}
}

// kill ends everything as a crash would: nothing is committed, the group is not left. Every context ends.
func (s *supervisor) kill() {
	if s.phase == stopped || s.link.Membership == nil {
		return
	}
	s.phase, s.stop.killed = stopped, true
	defer s.end(nil) // also when a claim fails here
	for _, c := range s.claims {
		s.attempt(func() { s.killClaim(c) })
	}
	clear(s.claims)
	clear(s.current)
	clear(s.waiting)
}

func (s *supervisor) killClaim(c *claim) {
	c.lost, c.gone, c.cause = true, true, messages.ErrStopped // gone: a flush that is under way need not tell its end
	s.attempt(func() {
		if !c.leaving {
			s.detach(c)
		}
		stopTimer(&c.timer)
		c.end()
	})
	s.attempt(func() { c.mailbox.Abandon(messages.ErrStopped) }) // before Close, as in lose
	s.attempt(c.commits.Close)
	if c.alive {
		s.attempt(func() {
			s.ctx.Stop(c.pid)
			s.disown(c)
		})
	}
	s.attempt(func() { s.ended.Add(s.countersOf(c, c.mailbox.Snapshot())) })
	s.attempt(c.mailbox.Close)
}

// membershipEnded: fenced, not authorised, or refused for good. Everything owned was told lost before.
func (s *supervisor) membershipEnded(err error) {
	s.log.Error("the membership has ended", slog.Any("error", err))
	if s.stop.err == nil {
		s.stop.err = err
	}
	s.stop.left = true
	if s.phase == running {
		s.phase = draining
	}
	for _, c := range s.claims {
		s.lose(c, err)
	}
	s.checkEnded()
}

// escalate drains the consumer and then fails it.
func (s *supervisor) escalate(f messages.Failure) {
	if s.stop.err == nil {
		s.stop.err = &messages.EscalatedError{Failure: f}
	}
	s.drain(0)
}
