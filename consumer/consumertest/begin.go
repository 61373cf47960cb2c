package consumertest

import (
	"context"
	"fmt"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Start implements supervisor.Commits.
func (s *commits) Start(ctx context.Context) (supervisor.Start, error) {
	if err := s.c.k.starting(); err != nil {
		return supervisor.Start{}, err
	}
	if s.c.k.cfg.Offsets.Store != nil {
		return s.startByStore(ctx)
	}
	p, known, err := s.log.last()
	if err != nil {
		s.c.k.fault("the metadata of %v cannot be read: %v", s.log.place, err)
	}
	if !known {
		return s.startBy(s.c.k.cfg.Offsets.Start, consumer.Unknown)
	}
	return s.inRange(supervisor.Start{Next: p.Next, Progress: p})
}

func (s *commits) startByStore(ctx context.Context) (supervisor.Start, error) {
	var pos consumer.Position
	err := s.c.k.storing()
	if err == nil {
		err = actors.Guarded(ctx, func() (err error) {
			pos, err = s.c.k.cfg.Offsets.Store.Acquire(ctx, s.claim)
			return err
		})
	}
	if err != nil {
		return supervisor.Start{}, fmt.Errorf("the offset store did not acquire %v: %w", s.log.place, err)
	}
	s.mu.Lock()
	s.fence = pos.Fence
	s.mu.Unlock()
	start := supervisor.Start{Next: pos.Next}
	if pos.Next == consumer.Unknown {
		start, err = s.startBy(s.c.k.cfg.Offsets.Start, consumer.Unknown)
	} else {
		start, err = s.inRange(start)
	}
	start.Fence = pos.Fence
	return start, err
}

// startBy begins where a choice says.
func (s *commits) startBy(choice consumer.Choice, offset int64) (supervisor.Start, error) {
	if choice == consumer.Fail {
		return supervisor.Start{}, s.log.outside(offset)
	}
	next := s.log.resolve(choice)
	return supervisor.Start{Next: next, Progress: actors.Progress{Next: next}}, nil
}

// inRange applies the out-of-range choice where it has to.
func (s *commits) inRange(start supervisor.Start) (supervisor.Start, error) {
	if low, high := s.log.span(); low <= start.Next && start.Next <= high {
		return start, nil
	}
	moved, err := s.startBy(s.c.k.cfg.Offsets.OutOfRange, start.Next)
	if err == nil {
		moved.Moved = &messages.Moved{Claim: s.claim, From: start.Next, To: moved.Next, Why: "out of range"}
	}
	return moved, err
}

// Readable implements supervisor.Commits.
func (s *commits) Readable(_ context.Context, offset int64, skip bool) (int64, error) {
	low, high := s.log.span()
	if skip {
		return min(max(offset+1, low), high), nil
	}
	start, err := s.inRange(supervisor.Start{Next: offset})
	return start.Next, err
}

// Advance implements supervisor.Commits.
func (s *commits) Advance(ctx context.Context, next int64) error {
	store := s.c.k.cfg.Offsets.Store
	if store == nil {
		return nil
	}
	advancer, ok := store.(consumer.Advancer)
	if !ok {
		return fmt.Errorf("the offset store %T has no method Advance: a record cannot be skipped", store)
	}
	s.mu.Lock()
	fence := s.fence
	s.mu.Unlock()
	if err := s.c.k.storing(); err != nil {
		return err
	}
	return actors.Guarded(ctx, func() error { return advancer.Advance(ctx, s.claim, next, fence) })
}
