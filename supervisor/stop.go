package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// stopState is how far the end has come.
type stopState struct {
	err     error // what Run returns; nil for a clean drain
	left    bool  // nothing more is expected of the membership
	closing bool  // the link is being closed
	crashed bool  // code of our own has failed
	stuck   []*stuckHandler
}

// stuckHandler is one that was left behind and has not returned.
type stuckHandler struct {
	pid   string
	where string
	told  int // how often its end was: once when it was disowned, once when it has come
}

// returned notes that a handler which was left behind has returned after all: its actor has ended.
func (s *stopState) returned(pid string) {
	s.stuck = slices.DeleteFunc(s.stuck, func(h *stuckHandler) bool {
		if h.pid == pid {
			h.told++
		}
		return h.told > 1
	})
}

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
	for _, c := range s.claims {
		s.giveUp(c, messages.ReasonShutdown, messages.ErrStopped, deadline)
	}
	patience := timeout + s.set.grace() + s.set.Reserve
	s.background(func() func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
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

var errLeaveFailed = errors.New("ottla: the supervisor failed: the group was not left")

func (s *supervisor) leftGroup(err error) {
	s.stop.left = true
	if err != nil {
		s.log.Warn("the group was not left in order: the members that stay wait for the session timeout", slog.Any("error", err))
	}
	if s.stop.crashed { // a claim may have been left in the middle of its end
		s.kill()
		return
	}
	s.checkEnded()
}

// stopNow is a drain that does not wait for handlers: their contexts end at once.
func (s *supervisor) stopNow() {
	if s.phase == stopped {
		return
	}
	s.drain(0)
	for _, c := range s.claims {
		if !c.lost {
			c.deadline = time.Now()
			s.overdue(c)
		}
	}
}

// kill ends everything as a crash would: nothing is committed, the group is not left. Every context ends.
func (s *supervisor) kill() {
	if s.phase == stopped || s.link.Membership == nil {
		return
	}
	s.phase = stopped
	for _, c := range s.claims {
		c.lost, c.cause = true, messages.ErrStopped
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
			s.ctx.Stop(c.pid)
			s.disown(c)
		}
		s.ended.Add(s.countersOf(c, c.mailbox.Snapshot()))
		s.attempt(c.mailbox.Close)
	}
	clear(s.claims)
	clear(s.current)
	clear(s.waiting)
	s.end(nil)
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

func (s *supervisor) checkEnded() {
	if s.phase == draining && s.stop.left && len(s.claims) == 0 {
		s.end(nil)
	}
}

// end closes the link and waits for every goroutine; then it hands on the Stop that was held back.
func (s *supervisor) end(err error) {
	if s.stop.closing {
		return
	}
	s.stop.closing = true
	s.phase = stopped
	if s.stop.err == nil {
		s.stop.err = err
	}
	link, in := s.link, s.in
	go func() { // the last one: Ended is told when it is done
		if link.Membership != nil {
			s.attempt(link.Membership.Close)
			s.attempt(link.Source.Stop)
			s.attempt(link.Committer.Stop)
		}
		s.work.Wait()
		in.post(s.closed)
	}()
}

func (s *supervisor) closed() {
	err := s.stop.err
	if err == nil && len(s.stop.stuck) > 0 {
		blocked := &messages.DrainError{}
		for _, h := range s.stop.stuck {
			blocked.Blocked = append(blocked.Blocked, h.where)
		}
		err = blocked
	}
	if err != nil {
		s.log.Error("the consumer has ended", slog.Any("error", err))
	} else {
		s.log.Info("the consumer has ended")
	}
	if s.set.Ended != nil {
		s.attempt(func() { s.set.Ended(err) })
	}
	above, isSupervisor := s.ctx.(actor.Supervisor)
	if s.stop.err == nil || !s.set.Embedded || s.ctx.Parent() == nil || !isSupervisor {
		s.sendSystem(s.self, openGate{stop: true})
		return
	}
	var held bool
	s.sendSystem(s.self, openGate{held: &held}) // the parent's directive may pass now
	if !held {                                  // else it has decided before it was asked
		above.EscalateFailure(s.stop.err, nil)
	}
}
