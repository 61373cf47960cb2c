package conformance

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// store is a database in which effects and offsets are kept together: one lock is one transaction.
type store struct {
	mu       sync.Mutex
	rows     map[int32]*row
	acquired []messages.Claim
}

// row is what the store knows of one partition.
type row struct {
	next, fence int64
	effects     []int64 // offsets, in the order in which they took effect
}

func newStore() *store { return &store{rows: map[int32]*row{}} }

// Acquire raises the fence and answers it together with the offset.
func (s *store) Acquire(_ context.Context, claim messages.Claim) (consumer.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acquired = append(s.acquired, claim)
	r := s.rows[claim.Partition]
	if r == nil {
		r = &row{next: consumer.Unknown}
		s.rows[claim.Partition] = r
	}
	r.fence++
	return consumer.Position{Next: r.next, Fence: r.fence}, nil
}

// set moves a partition's position, as a migration or a repair would.
func (s *store) set(partition int32, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[partition]
	if r == nil {
		r = &row{}
		s.rows[partition] = r
	}
	r.next = next
}

// raise makes a newer fence, as another owner would.
func (s *store) raise(partition int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[partition].fence++
}

// next is where the store says a partition stands.
func (s *store) next(partition int32) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rows[partition]; r != nil {
		return r.next
	}
	return consumer.Unknown
}

// effects are the offsets that took effect on a partition, in order.
func (s *store) effects(partition int32) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int64(nil), s.rows[partition].effects...)
}

// handle is a handler's transaction: fence check, position check, effect and offset.
func (s *store) handle(_ context.Context, rec *consumer.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[rec.Partition]
	switch {
	case r == nil:
		return fmt.Errorf("%v was never acquired", rec)
	case r.fence != rec.Fence:
		return messages.ErrFenced
	case r.next != consumer.Unknown && r.next != rec.Offset:
		return messages.SeekTo(r.next)
	}
	r.effects = append(r.effects, rec.Offset)
	r.next = rec.Offset + 1
	return nil
}

// effect fails the test unless these offsets took effect, each once, in order.
func (s *store) effect(t testing.TB, partition int32, want ...int64) {
	t.Helper()
	got := s.effects(partition)
	if len(got) != len(want) {
		t.Errorf("partition %d: %d records took effect, want %d: %v", partition, len(got), len(want), got)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("partition %d: number %d that took effect is %d, want %d", partition, i, got[i], want[i])
			return
		}
	}
}

// span lists the offsets from to end-1.
func span(from, end int64) (out []int64) {
	for o := from; o < end; o++ {
		out = append(out, o)
	}
	return out
}
