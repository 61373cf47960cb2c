package simulation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/messages"
)

// keeps says who keeps the offsets of a schedule.
type keeps int

const (
	kafka keeps = iota
	alone       // the store
	both        // the store, and Kafka is told
)

func (k keeps) String() string { return [...]string{"Kafka", "a store", "a store, Kafka is told"}[k] }

// store is a database: offsets, fences and effects in one transaction. All processes have the same one.
type store struct {
	world *world

	mu     sync.Mutex
	rows   []row
	failed int           // so many calls fail from now on
	unsure int           // so many saves are done, and fail to say so
	slow   time.Duration // the next call takes so long
}

// row is one partition's.
type row struct{ next, fence int64 }

var (
	errAway   = errors.New("the store is away")
	errUnsure = errors.New("nobody knows whether the store has it")
)

func newStore(w *world) *store {
	s := &store{world: w, rows: make([]row, w.partitions)}
	for i := range s.rows {
		s.rows[i].next = offsets.Unknown
	}
	return s
}

func (s *store) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// calm: nothing is in store for its next callers.
func (s *store) calm() bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed == 0 && s.unsure == 0 && s.slow == 0
}

// spend takes one of the failures that are in store. It needs the lock.
func spend(n *int) bool {
	if *n > 0 {
		*n--
		return true
	}
	return false
}

// pass waits as long as a call takes.
func (s *store) pass(ctx context.Context, p *process) error {
	p.gate.pass()
	s.mu.Lock()
	d := s.slow
	s.slow = 0
	s.mu.Unlock()
	select {
	case <-time.After(time.Millisecond + d):
		p.gate.pass()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.isDead() || spend(&s.failed) {
		return errAway
	}
	return nil
}

// access is the store as one process has it.
type access struct {
	*store

	p *process
}

var (
	_ offsets.Store    = access{}
	_ offsets.Advancer = access{}
)

// Acquire implements offsets.Store.
func (a access) Acquire(ctx context.Context, c messages.Claim) (offsets.Position, error) {
	if err := a.pass(ctx, a.p); err != nil {
		return offsets.Position{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &a.rows[c.Partition]
	r.fence++
	a.world.ledger.acquired(a.p, c.Partition, *r)
	return offsets.Position{Next: r.next, Fence: r.fence}, nil
}

// Advance implements offsets.Advancer.
func (a access) Advance(ctx context.Context, c messages.Claim, next, fence int64) error {
	if err := a.pass(ctx, a.p); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &a.rows[c.Partition]
	if r.fence != fence {
		return messages.ErrFenced
	}
	if next < r.next {
		a.world.ledger.violate("%s moves the store of %d back from %d to %d", a.p.name, c.Partition, r.next, next)
	}
	a.world.ledger.stores(a.p, c.Partition, next-1, skips)
	r.next = next
	return nil
}

// save is the handler's transaction: the record's effect, and that it is done.
func (s *store) save(ctx context.Context, p *process, r *messages.Record) error {
	if err := s.pass(ctx, p); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := &s.rows[r.Partition]
	switch {
	case at.fence != r.Fence:
		s.world.ledger.note("%s is fenced with %s/%d@%d", p.name, topic, r.Partition, r.Offset)
		return messages.ErrFenced
	case r.Offset < at.next:
		s.world.ledger.sought(p, r.Partition, *at)
		return messages.SeekTo(at.next)
	}
	s.world.ledger.stores(p, r.Partition, r.Offset, saves)
	at.next = r.Offset + 1
	if spend(&s.unsure) {
		return errUnsure
	}
	return nil
}

// put sets a partition to a part of its log, as somebody does who restores a database. Whoever owns it is fenced.
func (s *store) put(partition int32, part float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, end, _ := s.world.shelf.Range(context.Background(), topic, partition)
	r := &s.rows[partition]
	r.next, r.fence = int64(float64(end)*part), r.fence+1
	s.world.ledger.put(partition, r.next)
}
