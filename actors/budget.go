package actors

import (
	"sync"
	"sync/atomic"
)

// Budget bounds the backlogs of all partitions of a consumer together. A bound per partition is not enough: a
// rebalance that gives a member four times the partitions multiplies it.
//
// Half of the limit is shared freely, so that few busy partitions use it well. Once that half is full, the
// largest pause first: a partition may go on only up to its equal part of the other half. A partition that holds
// nothing always has room, whatever is parked beside it.
//
// The backlogs thus never exceed the limit, but for the fetches that were on their way, and for one batch of each
// partition that came when the limit was used up: the equal parts shrink with each partition that a rebalance
// brings, what others hold does not.
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
	equal := min(limit/(2*max(1, n))-own, limit-used)
	return max(0, limit/2-used, equal)
}

func (b *Budget) join() { b.members.Add(1) }

// leave gives back what m held. Ask relieved afterwards.
func (b *Budget) leave(m *Mailbox, held int) {
	b.members.Add(-1)
	b.mu.Lock()
	delete(b.refused, m)
	b.mu.Unlock()
	b.add(-held)
}

func (b *Budget) add(bytes int) { b.used.Add(int64(bytes)) }

// room for m, which holds own bytes; false: it is refused, and will be woken when the pressure falls.
func (b *Budget) room(m *Mailbox, own int) (bytes int, ok bool) {
	if bytes, ok = b.allows(own); ok {
		return bytes, true
	}
	return b.enter(m, own)
}

// enter makes m one of those who are woken, and looks again: somebody may have emptied his backlog between the
// first look and the entry, have seen nobody waiting, and have woken nobody.
func (b *Budget) enter(m *Mailbox, own int) (bytes int, ok bool) {
	b.mu.Lock()
	b.refused[m] = struct{}{}
	b.waiting.Store(true)
	b.mu.Unlock()
	return b.allows(own)
}

func (b *Budget) allows(own int) (bytes int, ok bool) {
	n := share(b.limit, b.used.Load(), int64(own), b.members.Load())
	return int(n), own == 0 || n >= leastRoom
}

// leastRoom: asking for less is not worth a request.
const leastRoom = 16 << 10

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

// relieve wakes those who were refused. Nobody may hold a mailbox's lock.
func (b *Budget) relieve() {
	for _, m := range b.relieved() {
		m.set.Wake()
	}
}
