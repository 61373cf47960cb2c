package actors

import (
	"sync"
	"sync/atomic"
)

// Budget bounds the backlogs of all partitions of a consumer together. A bound per partition is not enough: a
// rebalance that gives a member four times the partitions multiplies it.
//
// Half of the limit is shared freely, so that few busy partitions use it well. Once that half is full, the
// largest pause first: a partition may go on only up to its equal part of the other half. The backlogs thus
// never exceed the limit, but for the fetches that were on their way, and a partition that holds nothing always
// has room, whatever is parked beside it.
type Budget struct {
	limit   int64
	used    atomic.Int64
	members atomic.Int64
	waiting atomic.Bool

	mu      sync.Mutex
	refused map[*Mailbox]struct{}
}

// NewBudget bounds the sum of all backlogs, in bytes.
func NewBudget(limit int) *Budget {
	return &Budget{limit: int64(limit), refused: map[*Mailbox]struct{}{}}
}

// Used is the sum of all backlogs, in bytes.
func (b *Budget) Used() int64 { return b.used.Load() }

// share is how many bytes one of n partitions, which holds own of the used bytes, may still fetch.
func share(limit, used, own, n int64) int64 {
	return max(0, limit/2-used, limit/(2*max(1, n))-own)
}

func (b *Budget) join() { b.members.Add(1) }

func (b *Budget) leave(m *Mailbox, held int) {
	b.members.Add(-1)
	b.mu.Lock()
	delete(b.refused, m)
	b.mu.Unlock()
	b.add(-held)
}

func (b *Budget) add(bytes int) { b.used.Add(int64(bytes)) }

// room for a partition that holds own bytes; one that is refused is woken when the pressure falls.
func (b *Budget) room(m *Mailbox, own int) int {
	n := share(b.limit, b.used.Load(), int64(own), b.members.Load())
	if n == 0 {
		b.mu.Lock()
		b.refused[m] = struct{}{}
		b.mu.Unlock()
		b.waiting.Store(true)
	}
	return int(n)
}

// relieved answers whom to wake: everybody who was refused, once a quarter of the shared half is free again.
func (b *Budget) relieved() []*Mailbox {
	if !b.waiting.Load() || b.used.Load() > b.limit*3/8 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting.Store(false)
	wake := make([]*Mailbox, 0, len(b.refused))
	for m := range b.refused {
		wake = append(wake, m)
	}
	clear(b.refused)
	return wake
}
