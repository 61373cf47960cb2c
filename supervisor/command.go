package supervisor

import (
	"fmt"
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// command carries out what an operator asks, and answers what it did.
func (s *supervisor) command(cmd messages.Command) {
	switch m := cmd.(type) { // they are about no head
	case *messages.Pause:
		s.pause(m)
		return
	case *messages.Resume:
		s.unpause(m)
		return
	}
	head := messages.Target(cmd)
	c := s.current[partitionID{head.Topic, head.Partition}]
	if c == nil || c.leaving {
		s.log.Info("operator command", slog.String("command", fmt.Sprintf("%T", cmd)), slog.String("topic", head.Topic),
			slog.Int("partition", int(head.Partition)), slog.Int64("offset", head.Offset), slog.String("by", asker(cmd)),
			slog.String("error", "the partition is not owned by this consumer"))
		s.ctx.Respond(&messages.Result{Head: messages.Head{Topic: head.Topic, Partition: head.Partition, Offset: -1}, State: messages.StateStopping,
			Err: fmt.Errorf("ottla: %s/%d is not owned by this consumer", head.Topic, head.Partition)})
		return
	}
	switch m := cmd.(type) {
	case *messages.RetryHead:
		s.answer(c, s.ctx.Sender(), m, m.By, s.retryHead(c, m))
	case *messages.ParkHead:
		s.answer(c, s.ctx.Sender(), m, m.By, s.parkHead(c, m))
	case *messages.SkipHead:
		s.skipHead(c, m) // answers, perhaps later
	case *messages.DeadLetterHead:
		s.deadLetterHead(c, m) // answers later
	}
}

// answer tells what came of a command; nobody need be waiting for it.
func (s *supervisor) answer(c *claim, to *actor.PID, cmd messages.Command, by string, err error) {
	snapshot := c.mailbox.Snapshot()
	s.log.Info("operator command", slog.String("command", fmt.Sprintf("%T", cmd)), slog.Any("target", messages.Target(cmd)),
		slog.String("by", by), slog.Any("error", err))
	if to != nil {
		s.ctx.Send(to, &messages.Result{Head: messages.Head{Topic: c.Topic, Partition: c.Partition, Offset: snapshot.Head}, State: snapshot.State, Err: err})
	}
}

// retryHead ends whatever keeps the head from its handler: a hold or a park, a source that cannot be read, a position
// that is not known, an actor that is gone. Several of them may stand at once, and one command ends them all.
func (s *supervisor) retryHead(c *claim, m *messages.RetryHead) error {
	if c.skipping {
		return errSkipping
	}
	b := c.blocked
	switch {
	case b != nil: // without a head
		if err := b.meant(m.Offset); err != nil {
			return err
		}
	case c.asking != nil || c.start.waits() || c.actor.waits():
		if head := c.mailbox.Snapshot().Head; head != m.Offset { // -1 before the start
			return &actors.HeadError{Want: m.Offset, Have: head}
		}
	default:
		if err := c.mailbox.RetryHead(m.Offset); err != nil {
			return err
		}
	}
	s.publish(&messages.Unparked{Head: m.Head, By: m.By})
	// Nothing may come before it is known where the claim stands: under an old fence it would fail, and worse if it is
	// to be skipped for that.
	c.unpark = b != nil || c.asking != nil || c.start.waits()
	switch {
	case b != nil && b.start:
		c.blocked = nil
		s.lookUp(c)
	case b != nil:
		s.moveTo(c, b.offset, b.offset, "retried")
	case c.asking != nil: // it will be told
	case c.start.waits():
		c.start.now()
	case c.actor.waits():
		_ = c.mailbox.RetryHead(m.Offset) // records may be held back, too, or not
	}
	s.revive(c)
	return nil
}

// revive repairs the claim's actor now: it waits for that, or it is gone and the partition parked.
func (s *supervisor) revive(c *claim) {
	if c.mailbox.Occupy() && c.alive {
		c.actor.clear()
		s.resume(c, true)
		return
	}
	c.actor.now()
}

func (s *supervisor) forward(m *messages.Forward) {
	c := s.current[partitionID{m.Topic, m.Partition}]
	if c == nil || !c.alive || c.leaving {
		if s.ctx.Sender() != nil {
			s.ctx.Respond(&messages.NotHere{Topic: m.Topic, Partition: m.Partition})
		}
		return
	}
	if s.ctx.Sender() == nil {
		s.ctx.Send(c.pid, m.Message)
		return
	}
	s.ctx.RequestWithCustomSender(c.pid, m.Message, s.ctx.Sender())
}

// asker is who has asked for a command on a head.
func asker(cmd messages.Command) string {
	switch m := cmd.(type) {
	case *messages.RetryHead:
		return m.By
	case *messages.SkipHead:
		return m.By
	case *messages.DeadLetterHead:
		return m.By
	case *messages.ParkHead:
		return m.By
	}
	return ""
}
