package supervisor

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// HandleFailure makes the supervisor its children's strategy. Every failure of a partition actor comes here,
// whatever it was.
func (s *supervisor) HandleFailure(_ *actor.ActorSystem, _ actor.Supervisor, child *actor.PID, rs *actor.RestartStatistics, reason, message any) {
	defer func() {
		if r := recover(); r != nil {
			s.crashed(r, debug.Stack())
		}
	}()
	c := s.byPID[child.Id]
	if c == nil {
		return
	}
	p := &pending{fault: c.mailbox.Fault()}
	switch asked, ours := reason.(*actors.Fault); {
	case !ours: // and what the mailbox has asked about is another failure
		p.fault = nil
	case asked != p.fault:
		s.overtaken(c, asked)
		return
	}
	if p.fault == nil { // a user's own child escalated through the partition actor
		p.failure = s.faultOf(c, messages.ClassHandler, asError(reason))
		s.suspend(c)
	} else {
		p.failure = s.failureOf(c, p.fault)
	}
	if p.failure.Class == messages.ClassFenced && p.fault != nil && p.fault.Record != nil && s.set.Store && !c.leaving {
		s.fenced(c, p)
		return
	}
	if s.set.Strategy != nil && !c.leaving {
		c.pending = append(c.pending, p)
		s.set.Strategy.HandleFailure(s.ctx.ActorSystem(), strategyView{s.in, s.ctx.Children, child, c, p}, child, rs, asError(reason), message)
		return
	}
	s.decide(c, p)
}

func asError(reason any) error {
	if f, ok := reason.(*actors.Fault); ok {
		return f.Err
	}
	if err, ok := reason.(error); ok {
		return actors.Sound(err)
	}
	return fmt.Errorf("%v", reason)
}

// failureOf describes a fault. A record's first failure is remembered while it is the head. What comes as attempt 0 again has
// left in between, or the partition was moved: a handler's SeekTo, a store that was put back. Its attempts begin anew, and
// what was counted with them.
func (s *supervisor) failureOf(c *claim, f *actors.Fault) messages.Failure {
	if f.Record == nil {
		return s.faultOf(c, f.Class, f.Err)
	}
	r, now := f.Record, time.Now()
	if c.tallyOf != r.Offset || r.Attempt == 0 {
		c.tally, c.tallyOf, c.first = c.tally.Renew(), r.Offset, now
	}
	return messages.Failure{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Attempt: r.Attempt,
		Incarnation: c.mailbox.Snapshot().Incarnation, Class: f.Class, Err: f.Err, First: c.first, Last: now,
	}
}

// faultOf describes a fault that is no record's. Such faults are counted together while no record is handled in between:
// an actor that panics at a message once a day must not be away for an hour at the fifth time.
func (s *supervisor) faultOf(c *claim, class messages.Class, err error) messages.Failure {
	now, snapshot := time.Now(), c.mailbox.Snapshot()
	if n := snapshot.Counters.Handled; n > c.handled {
		c.handled, c.faults, c.faultSince = n, c.tally.Renew(), time.Time{}
	}
	if c.faultSince.IsZero() {
		c.faultSince = now
	}
	return messages.Failure{
		Topic: c.Topic, Partition: c.Partition, Offset: -1, Incarnation: snapshot.Incarnation,
		Class: class, Err: err, First: c.faultSince, Last: now,
	}
}

func (s *supervisor) decide(c *claim, p *pending) {
	tally := &c.faults
	if p.failure.Offset >= 0 {
		tally = &c.tally
	}
	if s.set.Strategy != nil { // a claim that is being given up, and what never reaches a plain strategy; neither knows of Directed
		s.carryOut(c, p, defaultRule.next(0, tally, &p.failure, s.set.Random))
		return
	}
	s.carryOut(c, p, c.how.Policy.Next(tally, &p.failure, s.set.Random))
}

// claimFault is a fault that is no record's and no message's: it costs no attempt.
func (s *supervisor) claimFault(c *claim, failure messages.Failure, at *repair, again func()) {
	s.decide(c, &pending{failure: failure, again: again, at: at})
}

// carryOut does what was decided.
func (s *supervisor) carryOut(c *claim, p *pending, d messages.Decision) {
	c.pending = slices.DeleteFunc(c.pending, func(other *pending) bool { return other == p })
	if d.Action == messages.ActionDeadLetter {
		s.deadLetterThenSkip(c, p, d)
		return
	}
	if d.Action == messages.ActionSkip && p.failure.Offset >= 0 && s.set.Store {
		s.advanceThenSkip(c, p, d)
		return
	}
	if c.leaving && d.Action != messages.ActionBreak { // whose delay is the pace of all, too
		d.Delay = 0 // the next owner tries at once
	}
	s.conclude(c, p, d)
}

// conclude leaves the verdict in the mailbox, tells what was decided, and has the actor go on.
func (s *supervisor) conclude(c *claim, p *pending, d messages.Decision) {
	if d.Action == messages.ActionSkip && !c.leaving && p.comesAgain() {
		d.Delay = max(d.Delay, time.Second)
	}
	if p.fault == nil {
		c.mailbox.Note(p.failure, d)
	} else {
		actorless := d.Action == messages.ActionSkip && p.fault.Record == nil && c.mailbox.Snapshot().Reason == ""
		if !c.mailbox.Judge(p.fault, p.failure, d) {
			return // nothing to decide any more: the actor was stopped or restarted meanwhile
		}
		if actorless {
			if reason := c.mailbox.Snapshot().Reason; reason != "" { // nobody could go on without it: it was parked
				d.Action, d.Delay, d.Reason = messages.ActionPark, 0, reason
			}
		}
	}
	s.logFailure(&p.failure, p.record(), d)
	s.publish(&messages.Failed{Failure: p.failure, Decision: d})
	switch {
	case p.fault == nil:
		s.tryAgain(c, p, d)
	case p.fault.Record == nil: // the actor itself waits
		s.resumeAfter(c, d.Delay, d.Action == messages.ActionRestart || p.failure.Class == messages.ClassPanic)
	case c.actor.waits() || slices.ContainsFunc(c.pending, (*pending).ofChild): // a child has escalated meanwhile: the actor goes on when it is restarted for that
	default: // the mailbox holds the head, the actor goes on at once
		s.resume(c, d.Action == messages.ActionRestart || d.Action == messages.ActionBreak && p.failure.Class == messages.ClassPanic)
	}
	switch d.Action {
	case messages.ActionSkip:
		if p.failure.Offset >= 0 {
			s.publish(&messages.Skipped{Head: headOf(&p.failure), By: d.Rule})
		}
	case messages.ActionPark:
		s.publish(&messages.Parked{Head: headOf(&p.failure), Reason: d.Reason})
	case messages.ActionEscalate:
		s.escalate(p.failure)
	}
}

func headOf(f *messages.Failure) messages.Head {
	return messages.Head{Topic: f.Topic, Partition: f.Partition, Offset: f.Offset}
}

func (s *supervisor) resumeAfter(c *claim, d time.Duration, restart bool) {
	if !c.alive { // nobody is there to go on, and another one is on its way, or waits for somebody: that must not be forgotten
		return
	}
	resume := func() { s.resume(c, restart) }
	if d <= 0 {
		s.whenDecided(c, resume)
		return
	}
	s.repairAfter(&c.actor, d, func() { s.whenDecided(c, resume) })
}

// tryAgain deals with a fault that did not come through the mailbox.
func (s *supervisor) tryAgain(c *claim, p *pending, d messages.Decision) {
	if p.again == nil { // a user's child escalated: it stays suspended until the actor above it is restarted
		if d.Action == messages.ActionPark { // by a fresh one, of which the same child would fail
			c.mailbox.Vacate(d.Reason)
		}
		s.resumeAfter(c, d.Delay, true)
		return
	}
	switch d.Action {
	case messages.ActionPark, messages.ActionEscalate:
		p.at.park(p.again) // until an operator's RetryHead
		return
	}
	s.repairAfter(p.at, d.Delay, p.again)
}

// suspend has the actor wait for what is decided about its child. It is suspended already, by protoactor, unless something else
// was decided in that moment:
//
//  1. The actor's record fails, it is suspended, and the supervisor is asked.
//  2. Its child fails and that is escalated: it is suspended once more, and the supervisor is asked.
//  3. The first is decided. The actor is resumed, which ends both suspensions, and would go on with a child that does not
//     answer until, after an hour perhaps, it is restarted for the second.
//
// What answers this is sent later, and by nobody else.
func (s *supervisor) suspend(c *claim) {
	if c.alive {
		s.sendSystem(c.pid, &actor.SuspendMailbox{})
	}
}

func (s *supervisor) resume(c *claim, restart bool) {
	if !c.alive {
		return
	}
	if restart {
		s.sendSystem(c.pid, &actor.Restart{})
		return
	}
	s.sendSystem(c.pid, &actor.ResumeMailbox{})
}

func (s *supervisor) sendSystem(pid *actor.PID, message any) {
	if p, ok := s.ctx.ActorSystem().ProcessRegistry.Get(pid); ok {
		p.SendSystemMessage(pid, message)
	}
}

// fenced: the store has a newer fence than ours. The rules are not asked: their retry would meet the same fence
// for ever. Hold, then acquire again if the claim is still ours, and go on where the store says.
func (s *supervisor) fenced(c *claim, p *pending) {
	if c.fencedAt != p.failure.Offset { // something was finished since
		c.fences, c.fencedAt = 0, p.failure.Offset
	}
	wait := time.Second << min(c.fences, 6)
	c.fences++
	d := messages.Decision{Action: messages.ActionPark, Delay: wait, Reason: "fenced by a newer owner: acquires again", Rule: "fenced", Left: -1}
	if !c.mailbox.Judge(p.fault, p.failure, d) {
		return
	}
	s.logFailure(&p.failure, p.record(), d)
	s.publish(&messages.Failed{Failure: p.failure, Decision: d})
	if !c.actor.waits() {
		s.resume(c, false)
	}
	s.repairAfter(&c.start, wait, func() { s.lookUp(c) })
}

// reported is what a mailbox tells.
func (s *supervisor) reported(c *claim, r actors.Report) {
	switch {
	case r.Farewell != nil:
		s.log.Error("user code failed in a last moment; nothing depends on it", c.log(), slog.Any("error", r.Farewell))
	case r.GivenUp != nil:
		s.log.Error("a record was given up: its actor was resumed and nobody had decided otherwise", slog.String("record", r.GivenUp.String()))
		s.publish(&messages.Skipped{Head: messages.Head{Topic: c.Topic, Partition: c.Partition, Offset: r.GivenUp.Offset}, By: "resume"})
	case r.Sought:
		s.moved(c, messages.Moved{Claim: c.Claim, From: r.Offset, To: r.SoughtTo, Why: "SeekTo"})
	case r.Shed != nil:
		s.shed(c, r.Shed)
	case r.Unparked:
		s.publish(&messages.Unparked{Head: messages.Head{Topic: c.Topic, Partition: c.Partition, Offset: r.Offset}})
	case r.Source != nil && !c.leaving:
		s.sourceFailed(c, r.Offset, r.Source)
	}
}
