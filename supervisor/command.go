package supervisor

import (
	"fmt"
	"log/slog"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// command carries out what an operator asks, and answers what it did.
func (s *supervisor) command(cmd messages.Command) {
	head := messages.Target(cmd)
	c := s.current[partitionID{head.Topic, head.Partition}]
	if c == nil || c.leaving {
		s.ctx.Respond(&messages.Result{Head: messages.Head{Topic: head.Topic, Partition: head.Partition, Offset: -1}, State: messages.StateStopping,
			Err: fmt.Errorf("ottla: %s/%d is not owned by this consumer", head.Topic, head.Partition)})
		return
	}
	var err error
	switch m := cmd.(type) {
	case *messages.RetryHead:
		err = s.retryHead(c, m)
	case *messages.SkipHead:
		if s.skipHead(c, m) {
			return // answers later
		}
		err = errSkipRefused(c, head.Offset)
	}
	s.answer(c, cmd, err)
}

func (s *supervisor) answer(c *claim, cmd messages.Command, err error) {
	snapshot := c.mailbox.Snapshot()
	result := &messages.Result{Head: messages.Head{Topic: c.Topic, Partition: c.Partition, Offset: snapshot.Head}, State: snapshot.State, Err: err}
	s.log.Info("operator command", slog.String("command", fmt.Sprintf("%T", cmd)), slog.Any("target", messages.Target(cmd)), slog.Any("error", err))
	if s.ctx.Sender() != nil {
		s.ctx.Respond(result)
	}
}

// retryHead ends a hold or a park now.
func (s *supervisor) retryHead(c *claim, m *messages.RetryHead) error {
	unparked := func() {
		s.publish(&messages.Unparked{Head: m.Head, By: m.By})
	}
	switch {
	case c.blocked != nil: // without a head: ask again
		if c.blocked.offset != m.Offset {
			return fmt.Errorf("ottla: the command was meant for offset %d, but the partition waits for %d", m.Offset, c.blocked.offset)
		}
		b := c.blocked
		unparked()
		if b.start {
			c.blocked = nil
			s.lookUp(c)
		} else {
			s.moveTo(c, b.offset, b.offset, "retried")
		}
		return nil
	case c.start.waits() || c.actor.waits():
		head := c.mailbox.Snapshot().Head // -1 before the start
		if head != m.Offset {
			return &actors.HeadError{Want: m.Offset, Have: head}
		}
		unparked()
		if !c.start.waits() { // else nothing may come before it is known where the claim stands
			_ = c.mailbox.RetryHead(head) // records may be held back, too, or not
		}
		c.start.now()
		c.actor.now()
		return nil
	}
	if err := c.mailbox.RetryHead(m.Offset); err != nil {
		return err
	}
	unparked()
	if c.mailbox.Occupy() {
		s.resume(c, true)
	}
	return nil
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
