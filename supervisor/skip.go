package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// skipHead gives the head up. With an offset store, and where the source is blocked, the answer comes later.
func (s *supervisor) skipHead(c *claim, m *messages.SkipHead) bool {
	sender := s.ctx.Sender()
	reply := func(err error) {
		snapshot := c.mailbox.Snapshot()
		if sender != nil {
			s.ctx.Send(sender, &messages.Result{Head: messages.Head{Topic: c.Topic, Partition: c.Partition, Offset: snapshot.Head}, State: snapshot.State, Err: err})
		}
		s.log.Info("operator skipped the head", slog.Any("target", m.Head), slog.String("by", m.By), slog.Any("error", err))
	}
	done := func() {
		s.publish(&messages.Skipped{Head: m.Head, By: m.By})
	}
	if b := c.blocked; b != nil {
		if b.offset != m.Offset {
			return false
		}
		s.readable(c, b.offset, true, func(next int64, err error) {
			switch {
			case err != nil:
			case c.leaving || c.blocked != b:
				err = errMoved
			default:
				done()
				s.moveTo(c, b.offset, next, "skipped by "+m.By)
			}
			reply(err)
		})
		return true
	}
	skip := func() error {
		err := c.mailbox.SkipHead(m.Offset)
		if err == nil {
			done()
			if c.mailbox.Occupy() {
				s.resume(c, true)
			}
			c.start.now()
			c.actor.now()
		}
		return err
	}
	if !s.set.Store {
		reply(skip())
		return true
	}
	// The store is moved first, and only for the head: for a later record it would jump over all in between.
	if err := c.mailbox.Detain(m.Offset, "a skip by "+m.By+" is under way, or has failed"); err != nil {
		reply(err)
		return true
	}
	s.background(func() func() {
		err := s.advance(c, m.Offset+1)
		return func() {
			switch {
			case err == nil:
				err = skip()
			case errors.Is(err, messages.ErrFenced) && !c.leaving: // the next command would meet the same fence
				err = fmt.Errorf("%w: it is acquired again; ask for the skip once more", err)
				c.start.clear()
				s.lookUp(c)
			}
			reply(err)
		}
	})
	return true
}

var errMoved = errors.New("ottla: the partition was moved or given up meanwhile")

func errSkipRefused(c *claim, offset int64) error {
	if c.blocked == nil {
		return errors.New("ottla: the command was refused")
	}
	return fmt.Errorf("ottla: the command was meant for offset %d, but the partition waits for %d", offset, c.blocked.offset)
}

// advanceThenSkip moves the offset store first: a skip that only Kafka knew of would be undone by the store.
func (s *supervisor) advanceThenSkip(c *claim, p *pending, d messages.Decision) {
	next := p.failure.Offset + 1
	s.background(func() func() {
		err := s.advance(c, next)
		return func() {
			if s.claims[c.Sequence] != c { // it has ended meanwhile: the next owner sees what the store says
				return
			}
			if errors.Is(err, messages.ErrFenced) && !c.leaving {
				p.failure.Class, p.failure.Err = messages.ClassFenced, errors.Join(err, p.failure.Err)
				s.fenced(c, p)
				return
			}
			if err != nil {
				d = messages.Decision{Action: messages.ActionRetry, Delay: time.Second, Rule: d.Rule, Step: d.Step, Left: -1}
				p.failure.Class = messages.ClassStore
				p.failure.Err = fmt.Errorf("the record was to be skipped, but the offset store did not advance to %d: %w", next, errors.Join(err, p.failure.Err))
			}
			s.logFailure(&p.failure, p.record(), d)
			s.publish(&messages.Failed{Failure: p.failure, Decision: d})
			if s.resolveHead(c, p, d) && err == nil {
				s.publish(&messages.Skipped{Head: headOf(&p.failure), By: d.Rule})
			}
		}
	})
}

func (s *supervisor) advance(c *claim, next int64) error {
	ctx, cancel := context.WithTimeout(c.over, storePatience)
	defer cancel()
	return c.commits.Advance(ctx, next)
}

// storePatience bounds one call of the offset store that is not a claim's start.
const storePatience = 30 * time.Second

