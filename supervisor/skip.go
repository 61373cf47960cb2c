package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// skipHead gives the head up. With an offset store, and where the source is blocked, the answer comes later.
func (s *supervisor) skipHead(c *claim, m *messages.SkipHead) {
	sender := s.ctx.Sender()
	reply := func(err error) { s.answer(c, sender, m, m.By, err) }
	if err := s.skippable(c, m.Offset); err != nil {
		reply(err)
		return
	}
	b := c.blocked
	if b == nil && c.known && c.mailbox.Unreadable(m.Offset) {
		b = &blockedSource{offset: m.Offset} // it is being asked whether it stays so, or will be: that need not be waited for
	}
	if b != nil {
		s.skipUnreadable(c, b, m, reply)
		return
	}
	skip := func() error {
		err := c.mailbox.SkipHead(m.Offset)
		if err == nil {
			s.publish(&messages.Skipped{Head: m.Head, By: m.By})
		}
		return err
	}
	if !s.set.Store {
		reply(s.leaves(c, nil, skip, ""))
		return
	}
	// The store is moved first, and only for the head: for a later record it would jump over all in between.
	if _, err := c.mailbox.Detain(m.Offset, "a skip by "+m.By+" is under way, or has failed", messages.ClassStore); err != nil {
		reply(err)
		return
	}
	c.skipping = true
	s.background(func() func() {
		err := s.advance(c, m.Offset+1)
		return func() {
			c.skipping = false
			reply(s.leaves(c, err, skip, "ask for the skip once more"))
		}
	})
}

// leaves has the head leave by an operator's word, which giveUp carries out, once the offset store has been moved past it;
// advanced is what came of that, and then is what to do where it was fenced.
func (s *supervisor) leaves(c *claim, advanced error, giveUp func() error, then string) error {
	switch {
	case errors.Is(advanced, messages.ErrFenced) && !c.leaving: // the next command would meet the same fence
		s.lookUp(c)
		return fmt.Errorf("%w: it is acquired again; %s", advanced, then)
	case advanced != nil:
		return advanced
	}
	err := giveUp()
	if err == nil {
		s.revive(c)
		c.start.now()
	}
	return err
}

// skippable says why the head cannot be skipped now. Where it is not known where the claim stands, the operator has seen
// an old head: another owner may have worked on, and the store would be moved back behind it.
func (s *supervisor) skippable(c *claim, offset int64) error {
	switch b := c.blocked; {
	case c.skipping:
		return errSkipping
	case b != nil:
		return b.meant(offset)
	case !c.known && c.opened:
		return errors.New("ottla: the partition is being acquired again: its head may be another one then (RetryHead asks for that now)")
	}
	return nil
}

// skipUnreadable goes on at the next offset that can be read.
func (s *supervisor) skipUnreadable(c *claim, b *blockedSource, m *messages.SkipHead, reply func(error)) {
	c.skipping = true
	told := c.blocked == b // that it cannot be read
	c.blocked = b
	s.readable(c, b.offset, true, func(current bool, next int64, err error) {
		c.skipping = false
		switch {
		case err != nil && current && !told:
			s.block(c, b, err)
		case err != nil:
		case !current || c.blocked != b:
			err = errMoved
		default:
			s.publish(&messages.Skipped{Head: m.Head, By: m.By})
			c.unpark = true
			s.moveTo(c, b.offset, next, "skipped by "+m.By)
			s.revive(c)
		}
		reply(err)
	})
}

// meant checks that a command on a partition that cannot be read names the offset that it waits for.
func (b *blockedSource) meant(offset int64) error {
	if b.offset == offset {
		return nil
	}
	return fmt.Errorf("ottla: the command was meant for offset %d, but the partition waits for %d", offset, b.offset)
}

var (
	errMoved = errors.New("ottla: the partition was moved or given up meanwhile")
	// errSkipping: delivered now, the record would be handled while the store moves past it, and a handler that is faster
	// would have its successors' progress taken back.
	errSkipping = errors.New("ottla: a skip or a dead letter is under way: its answer will tell where the partition stands")
)

// advanceThenSkip moves the offset store first: a skip that only Kafka knew of would be undone by the store.
func (s *supervisor) advanceThenSkip(c *claim, p *pending, d messages.Decision) {
	if !s.stands(c, p.record()) {
		s.skipInVain(c, p, d)
		return
	}
	next := p.failure.Offset + 1
	c.skipping = true
	s.background(func() func() {
		err := s.advance(c, next)
		return func() {
			c.skipping = false
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
				p.failure.Err = fmt.Errorf("the record was to be given up, but the offset store did not advance to %d: %w", next, errors.Join(err, p.failure.Err))
			}
			s.conclude(c, p, d)
		}
	})
}

// stands says whether the attempt is of the position that the store has issued to this claim. One of an older position
// may come back late, when the store is far ahead: a skip of it would move the store back.
func (s *supervisor) stands(c *claim, r *messages.Record) bool {
	return c.known && r.Fence == c.mailbox.Fence() && r.Offset == c.mailbox.Progress().Next
}

// skipInVain is for an attempt that is not of the claim's position any more. If that is not known yet, nothing is
// delivered before it is.
func (s *supervisor) skipInVain(c *claim, p *pending, d messages.Decision) {
	d = messages.Decision{Action: messages.ActionRetry, Rule: d.Rule, Step: d.Step, Left: -1}
	if !c.known && !c.leaving {
		d.Action, d.Reason = messages.ActionPark, "to be skipped, but acquired again first"
		p.failure.Class = messages.ClassFenced
	}
	s.conclude(c, p, d)
}

func (s *supervisor) advance(c *claim, next int64) error {
	ctx, cancel := context.WithTimeout(c.over, storePatience)
	defer cancel()
	return actors.Sound(c.commits.Advance(ctx, next))
}

// storePatience bounds one call of the offset store that is not a claim's start.
const storePatience = 30 * time.Second
