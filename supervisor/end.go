package supervisor

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// stopState is how far the end has come, and what there is to say of it.
type stopState struct {
	err      error         // why it has come, unless somebody has asked for it
	left     bool          // nothing more is expected of the membership
	closing  bool          // the link is being closed
	over     chan struct{} // closed when it has been, and every goroutine has ended
	said     bool          // the end was told
	passed   bool          // the gate is open
	tries    int           // of that, after a fault
	crashed  bool          // code of our own has failed
	killed   bool          // nothing was waited for
	cutLeave func()
	hurry    *time.Timer // of cutLeave
	last     *time.Timer // of the kill, after a crash
	leave    error       // what the leave came to
	stuck    []*stuckHandler
	lacking  []string // partitions whose last offsets may be missing
	lack     []error  // why
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

// uncommitted notes that a drain did not get a claim's last offsets committed.
func (s *stopState) uncommitted(c *claim, err error) {
	if where := fmt.Sprintf("%s/%d", c.Topic, c.Partition); !slices.Contains(s.lacking, where) {
		s.lacking = append(s.lacking, where)
	}
	s.lack = append(s.lack, err)
}

// result is what Run returns: nil only where everything was finished, committed and left in order.
func (s *stopState) result() error {
	switch {
	case s.err != nil:
		return s.err
	case s.killed:
		return messages.ErrKilled
	}
	var faults []error
	if len(s.stuck)+len(s.lacking) > 0 {
		e := &messages.DrainError{Uncommitted: s.lacking, Err: errors.Join(s.lack...)}
		for _, h := range s.stuck {
			e.Blocked = append(e.Blocked, h.where)
		}
		faults = append(faults, e)
	}
	if s.leave != nil {
		faults = append(faults, &messages.LeaveError{Err: s.leave})
	}
	if len(faults) == 1 {
		return faults[0]
	}
	return errors.Join(faults...)
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
	s.stop.closing, s.stop.over = true, make(chan struct{})
	s.phase = stopped
	stopTimer(&s.stop.hurry)
	stopTimer(&s.stop.last)
	stopTimer(&s.rejoin)
	stopTimer(&s.watching)
	s.breaker.End()
	if s.stop.err == nil {
		s.stop.err = err
	}
	link, in, over := s.link, s.in, s.stop.over
	go func() { // the last one: Ended is told when it is done
		if link.Membership != nil {
			s.attempt(link.Membership.Close)
			s.attempt(link.Source.Stop)
			s.attempt(link.Committer.Stop)
		}
		s.work.Wait()
		close(over)
		in.post(s.closed)
	}()
}

func (s *supervisor) closed() {
	if s.stop.passed {
		return
	}
	s.sayEnd()
	above, isSupervisor := s.ctx.(actor.Supervisor)
	if s.stop.err == nil || !s.set.Embedded || s.ctx.Parent() == nil || !isSupervisor {
		s.sendSystem(s.self, openGate{stop: true})
		s.stop.passed = true
		return
	}
	var held bool
	s.sendSystem(s.self, openGate{held: &held}) // the parent's directive may pass now
	if !held {                                  // else it has decided before it was asked
		s.kin.failure(s.self)
		above.EscalateFailure(s.stop.err, nil)
	}
	s.stop.passed = true
}

// closeAgain is for an end in whose last moments something has failed: whoever waits for it would wait for ever. Where no message
// comes through any more, because the application's middleware fails at each of them, it is done at once.
func (s *supervisor) closeAgain() {
	select {
	case <-s.stop.over:
		switch s.stop.tries++; {
		case s.stop.passed:
		case s.stop.tries < 3:
			s.in.post(s.closed)
		case s.stop.tries == 3:
			s.attempt(s.closed)
		}
	default: // it is still to come
	}
}

// sayEnd tells what Run returns, once.
func (s *supervisor) sayEnd() {
	if s.stop.said {
		return
	}
	s.stop.said = true
	err := s.stop.result()
	if err != nil {
		s.log.Error("the consumer has ended", slog.Any("error", err))
	} else {
		s.log.Info("the consumer has ended")
	}
	if s.set.Ended != nil {
		s.attempt(func() { s.set.Ended(err) })
	}
}
