package supervisor

import (
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// strategyView is the actor.Supervisor that a plain strategy is given in the place of the policy: resume = skip,
// restart = redeliver to a fresh incarnation, stop = park with the incarnation gone, escalate = drain, then fail
// the consumer. Its methods only post, so that a strategy may call them later and from any goroutine.
//
// Each failure is asked about with a view of its own, and only what that view is about can be given up through it. A restart and
// a stop lose nothing, and are carried out for whatever else waits, too, as an all-for-one strategy means them (protoactor's own
// resumes only the actor that has failed). A resume that skipped whatever waits would lose records that nobody has decided about:
//
//  1. At 0 s record 0 fails, and the strategy says Resume for that at 15 s.
//  2. At 5 s another partition fails, and the strategy restarts all: record 0 comes again, and is handled.
//  3. At 5 s record 1 fails, and the strategy says Restart for that at 20 s.
//  4. At 15 s the Resume comes, which was meant for record 0.
type strategyView struct {
	in       inbox
	children func() []*actor.PID
	child    *actor.PID // about whose failure the strategy was asked
	asked    *claim     // its
	about    *pending
}

// Children are the partition actors. Call it within HandleFailure only, as with protoactor's own.
func (v strategyView) Children() []*actor.PID { return v.children() }

// EscalateFailure drains the consumer and then fails it.
func (v strategyView) EscalateFailure(reason, _ any) {
	v.in.post(func() {
		if slices.Contains(v.asked.undecided(), v.about) {
			v.in.s.carryOut(v.asked, v.about, byStrategy(messages.ActionEscalate))
			return
		}
		v.in.s.escalate(messages.Failure{Offset: -1, Class: messages.ClassHandler, Err: asError(reason)})
	})
}

// RestartChildren delivers the head again, to a fresh incarnation.
func (v strategyView) RestartChildren(pids ...*actor.PID) {
	v.each(pids, messages.ActionRestart, func(c *claim) {
		if !c.skipping { // else its head would come again while the store is being moved past it
			v.in.s.resume(c, true)
		}
	})
}

// StopChildren parks.
func (v strategyView) StopChildren(pids ...*actor.PID) {
	v.each(pids, messages.ActionPark, v.vacate)
}

// vacate parks with the incarnation gone, but not while the head is being given up: the partition would park at a head that the
// store is being moved past, and an operator's skip would take it up again when it is done.
func (v strategyView) vacate(c *claim) {
	s := v.in.s
	if !c.alive { // as in resumeAfter
		c.mailbox.Vacate(stoppedByStrategy)
		return
	}
	s.whenDecided(c, func() {
		c.mailbox.Vacate(stoppedByStrategy)
		s.resume(c, true)
	})
}

// ResumeChildren gives the record up that the view is about, while that waits. For others that have failed it does nothing:
// they wait for what is said through a view of theirs.
func (v strategyView) ResumeChildren(pids ...*actor.PID) {
	v.each(pids, messages.ActionSkip, func(*claim) {})
}

const stoppedByStrategy = "stopped by the supervisor strategy"

func byStrategy(a messages.Action) messages.Decision {
	d := messages.Decision{Action: a, Rule: "strategy", Left: -1}
	if a == messages.ActionPark {
		d.Reason = stoppedByStrategy
	}
	return d
}

// each carries the directive out for children that wait for it, and healthy for others (an all-for-one strategy).
func (v strategyView) each(pids []*actor.PID, action messages.Action, healthy func(*claim)) {
	v.in.post(func() {
		s := v.in.s
		for _, pid := range pids {
			c := s.byPID[pid.Id]
			waiting := v.waiting(c, action)
			switch {
			case c == nil && pid.Id == v.child.Id: // its actor has stopped since; its record waits for the decision all the same
				c = v.asked
				waiting = slices.DeleteFunc(v.waiting(c, action), func(p *pending) bool { return p != v.about })
			case c != nil && !c.leaving && len(waiting) == 0:
				healthy(c)
			}
			for _, p := range waiting {
				s.carryOut(c, p, byStrategy(action))
				if action == messages.ActionPark && p.fault != nil {
					v.vacate(c)
				}
			}
		}
	})
}

// waiting are the failures of a claim that the view's directive is about: the one that the strategy was asked about, if that
// still waits; else all that do, unless they would be given up.
func (v strategyView) waiting(c *claim, action messages.Action) []*pending {
	if c == nil || c.leaving {
		return nil
	}
	waiting := c.undecided()
	if c == v.asked && slices.Contains(waiting, v.about) {
		return []*pending{v.about}
	}
	if action == messages.ActionSkip {
		return nil
	}
	return waiting
}
