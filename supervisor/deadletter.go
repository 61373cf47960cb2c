package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// DeadLetterWriter writes dead letters. It answers nil only when the letter is stored for good: the record is committed
// then, and gone. It is called by several goroutines at once, for one partition by one at a time; it has to give up when ctx
// ends, which is after 30 s and when the claim is lost. A letter may be written twice, by two owners.
type DeadLetterWriter interface {
	WriteDeadLetter(ctx context.Context, l *messages.DeadLetter) error
}

// deadLetterPatience bounds one call of the writer.
const deadLetterPatience = 30 * time.Second

// writeDeadLetter calls the writer, off the actor's turn.
func (s *supervisor) writeDeadLetter(c *claim, l *messages.DeadLetter) error {
	w := s.set.DeadLetters
	if w == nil {
		w = s.link.DeadLetters
	}
	if w == nil {
		return errors.New("ottla: there is no writer of dead letters")
	}
	ctx, cancel := context.WithTimeout(c.over, deadLetterPatience)
	defer cancel()
	return actors.Sound(actors.Guarded(ctx, func() error { return w.WriteDeadLetter(ctx, l) }))
}

// deadLetterThenSkip writes the record first and gives it up then: the actor waits meanwhile, as it does for any decision.
func (s *supervisor) deadLetterThenSkip(c *claim, p *pending, d messages.Decision) {
	l := &messages.DeadLetter{
		To: d.Target, Record: p.record(), Failure: p.failure, Rule: d.Rule, Group: s.set.Group, Time: time.Now(),
	}
	c.skipping = true
	s.background(func() func() {
		err := s.writeDeadLetter(c, l)
		return func() {
			c.skipping = false
			switch {
			case err == nil:
				s.deadLettered(headOf(&p.failure), l)
				if s.claims[c.Sequence] != c { // it has ended meanwhile: the next owner handles the record again
					return
				}
				if s.set.Store {
					s.advanceThenSkip(c, p, d)
					return
				}
				s.conclude(c, p, d)
			case s.claims[c.Sequence] == c:
				// Not wrapped: what the record failed with must not choose the rule for what the writer failed with.
				cause := ""
				if p.failure.Err != nil {
					cause = fmt.Sprintf(" (the record itself failed: %v)", p.failure.Err)
				}
				p.failure.Class = messages.ClassDeadLetter
				p.failure.Err = fmt.Errorf("the dead letter to %s could not be written: %w%s", d.Target, err, cause)
				s.decide(c, p)
			}
		}
	})
}

// deadLetterHead is skipHead that writes the record first.
func (s *supervisor) deadLetterHead(c *claim, m *messages.DeadLetterHead) {
	sender := s.ctx.Sender()
	reply := func(err error) { s.answer(c, sender, m, m.By, err) }
	l, err := s.letterOf(c, m)
	if err != nil {
		reply(err)
		return
	}
	c.skipping = true
	s.background(func() func() {
		err := s.writeDeadLetter(c, l)
		written := err == nil
		if written {
			err = s.advance(c, m.Offset+1)
		}
		return func() {
			c.skipping = false
			if !written {
				reply(fmt.Errorf("ottla: the dead letter to %s could not be written, the record is kept: %w", m.To, err))
				return
			}
			s.deadLettered(m.Head, l)
			giveUp := func() error { return c.mailbox.DeadLetterHead(m.Offset) }
			reply(s.leaves(c, err, giveUp, "ask once more, the dead letter is written twice then"))
		}
	})
}

// letterOf detains the head and makes the letter of it.
func (s *supervisor) letterOf(c *claim, m *messages.DeadLetterHead) (*messages.DeadLetter, error) {
	if err := s.skippable(c, m.Offset); err != nil {
		return nil, err
	}
	switch {
	case m.To == "":
		return nil, errors.New("ottla: the command names no place: set To")
	case c.blocked != nil:
		return nil, errors.New("ottla: the record cannot be read, so that there is nothing to write: SkipHead goes on behind it")
	}
	r, err := c.mailbox.Detain(m.Offset, "a dead letter by "+m.By+" is under way, or has failed", messages.ClassDeadLetter)
	if err != nil {
		return nil, err
	}
	l := &messages.DeadLetter{
		To: m.To, Record: r, By: m.By, Group: s.set.Group, Time: time.Now(),
		Failure: messages.Failure{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Attempt: r.Attempt},
	}
	if f := c.mailbox.Snapshot().Failure; f != nil && f.Offset == r.Offset {
		l.Failure = *f
	}
	return l, nil
}

func (s *supervisor) deadLettered(head messages.Head, l *messages.DeadLetter) {
	by := l.Rule
	if l.By != "" {
		by = l.By
	}
	s.log.Warn("a record was written as a dead letter", slog.String("record", l.Record.String()), slog.String("to", l.To), slog.String("by", by))
	s.publish(&messages.DeadLettered{Head: head, To: l.To, By: by})
}
