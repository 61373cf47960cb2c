package consumertest

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// Store is an offset store in memory, to be given as Config.Offsets.Store. A handler that uses it as its database calls
// Save in the place of its transaction. It is safe for concurrent use; its zero value is ready.
type Store struct {
	mu       sync.Mutex
	at       map[place]*position
	acquired int
	calls    failing
	saves    failing
}

type position struct{ next, fence int64 }

var (
	_ consumer.OffsetStore = (*Store)(nil)
	_ consumer.Advancer    = (*Store)(nil)
)

// position needs the lock.
func (s *Store) position(topic string, partition int32) *position {
	if s.at == nil {
		s.at = map[place]*position{}
	}
	at := place{topic, partition}
	if s.at[at] == nil {
		s.at[at] = &position{next: consumer.Unknown}
	}
	return s.at[at]
}

// Acquire implements consumer.OffsetStore.
func (s *Store) Acquire(_ context.Context, c messages.Claim) (consumer.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.calls.spend(); err != nil {
		return consumer.Position{}, err
	}
	p := s.position(c.Topic, c.Partition)
	p.fence++
	s.acquired++
	return consumer.Position{Next: p.next, Fence: p.fence}, nil
}

// Advance implements consumer.Advancer.
func (s *Store) Advance(_ context.Context, c messages.Claim, next, fence int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.calls.spend(); err != nil {
		return err
	}
	p := s.position(c.Topic, c.Partition)
	if p.fence != fence {
		return messages.ErrFenced
	}
	p.next = next
	return nil
}

// Save is a handler's transaction: it finishes the record, or answers what its handler should answer,
// messages.ErrFenced where somebody else has acquired the partition and messages.SeekTo where the record is done
// already.
func (s *Store) Save(r *messages.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.saves.spend(); err != nil {
		return err
	}
	p := s.position(r.Topic, r.Partition)
	switch {
	case p.fence != r.Fence:
		return messages.ErrFenced
	case p.next > r.Offset:
		return messages.SeekTo(p.next)
	}
	p.next = r.Offset + 1
	return nil
}

// Set puts the position of a partition.
func (s *Store) Set(topic string, partition int32, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position(topic, partition).next = next
}

// Next is the position of a partition; consumer.Unknown: none.
func (s *Store) Next(topic string, partition int32) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position(topic, partition).next
}

// Fence raises the fence of a partition, as another owner's Acquire does.
func (s *Store) Fence(topic string, partition int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position(topic, partition).fence++
}

// Fail makes the next n calls of Acquire and Advance fail; n < 0: all, until the next call.
func (s *Store) Fail(n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = failing{n, err}
}

// FailSaves makes the next n calls of Save fail, as a transaction does that is rolled back; n < 0: all, until the next call.
func (s *Store) FailSaves(n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saves = failing{n, err}
}

// Acquired is how often a partition was acquired.
func (s *Store) Acquired() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acquired
}

// String is for texts of failures.
func (s *Store) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	for at, p := range s.at {
		fmt.Fprintf(&text, "%v: next %d, fence %d; ", at, p.next, p.fence)
	}
	return text.String()
}
