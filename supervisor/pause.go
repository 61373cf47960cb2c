package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// pausedFrom pauses a claim that begins, if its partition is.
func (s *supervisor) pausedFrom(c *claim) {
	if p := s.pauses.find(idOf(c.Claim)); p != nil {
		c.mailbox.Pause(*p)
		s.log.Info("assigned while it is paused", c.log(), slog.String("by", p.By), slog.Time("since", p.Since))
	}
}

// pause carries out Pause, for what is owned and for what will be.
func (s *supervisor) pause(m *messages.Pause) {
	err := s.pausable(m.Topic, m.Partitions)
	if err == nil {
		s.pauses.add(m.Topic, m.Partitions, m.By, time.Now())
		s.publish(&messages.Paused{Topic: m.Topic, Partitions: slices.Clone(m.Partitions), By: m.By})
	}
	s.answerAll(m, m.Topic, m.Partitions, m.By, err, func(c *claim) bool {
		p := s.pauses.find(idOf(c.Claim))
		return p != nil && c.mailbox.Pause(*p)
	})
}

// unpause carries out Resume.
func (s *supervisor) unpause(m *messages.Resume) {
	err := s.pausable(m.Topic, m.Partitions)
	if err == nil {
		s.pauses.remove(m.Topic, m.Partitions)
		s.publish(&messages.Resumed{Topic: m.Topic, Partitions: slices.Clone(m.Partitions), By: m.By})
	}
	s.answerAll(m, m.Topic, m.Partitions, m.By, err, func(c *claim) bool { return c.mailbox.Resume() })
}

// pausable says why these partitions can be neither paused nor resumed. A list that is empty is refused: whoever has made it
// did not mean the whole topic.
func (s *supervisor) pausable(topic string, partitions []int32) error {
	switch {
	case s.phase != running:
		return errors.New("ottla: the consumer drains")
	case topic == "":
		return errors.New("ottla: the command names no topic")
	case s.set.Topics != nil && !slices.Contains(s.set.Topics, topic):
		return fmt.Errorf("ottla: the consumer does not subscribe to the topic %q", topic)
	case partitions != nil && len(partitions) == 0:
		return errors.New("ottla: the command names no partition; without a list it means all of the topic")
	case len(partitions) > 0 && slices.Min(partitions) < 0:
		return fmt.Errorf("ottla: there is no partition %d", slices.Min(partitions))
	}
	return nil
}

// answerAll does something to each partition that a command is about and that is owned, unless it is refused, and answers.
func (s *supervisor) answerAll(cmd messages.Command, topic string, partitions []int32, by string, err error, do func(*claim) bool) {
	res := &messages.Result{Head: messages.Target(cmd), Err: err}
	for id, c := range s.current {
		if err != nil || c.leaving || id.topic != topic || partitions != nil && !slices.Contains(partitions, id.partition) {
			continue
		}
		changed, p := do(c), c.mailbox.Snapshot()
		c.describe(&p)
		res.Partitions = append(res.Partitions, messages.PartitionResult{Partition: id.partition, Head: p.Head, State: p.State, Changed: changed})
	}
	slices.SortFunc(res.Partitions, func(a, b messages.PartitionResult) int { return cmp.Compare(a.Partition, b.Partition) })
	s.log.Info("operator command", slog.String("command", fmt.Sprintf("%T", cmd)), slog.String("topic", topic),
		slog.Any("partitions", partitions), slog.Int("owned", len(res.Partitions)), slog.String("by", by), slog.Any("error", err))
	if to := s.ctx.Sender(); to != nil {
		s.ctx.Send(to, res)
	}
}
