package main

import (
	"context"
	"maps"
	"sync"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// ledger stands for the database: amounts, and beside them how far each partition is. It is the consumer's offset store.
type ledger struct {
	mu   sync.Mutex
	rows map[int32]*row
}

// row is what the database has of one partition.
type row struct {
	next, fence int64
	amounts     map[string]int
}

var (
	_ consumer.OffsetStore = (*ledger)(nil)
	_ consumer.Advancer    = (*ledger)(nil)
)

func newLedger() *ledger { return &ledger{rows: map[int32]*row{}} }

// row needs the lock.
func (l *ledger) row(partition int32) *row {
	if l.rows[partition] == nil {
		l.rows[partition] = &row{next: consumer.Unknown, amounts: map[string]int{}}
	}
	return l.rows[partition]
}

// Acquire makes the claim the only one whose bookings count.
func (l *ledger) Acquire(_ context.Context, c messages.Claim) (consumer.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.row(c.Partition)
	r.fence++
	return consumer.Position{Next: r.next, Fence: r.fence}, nil
}

// Advance is for records that are skipped.
func (l *ledger) Advance(_ context.Context, c messages.Claim, next, fence int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.row(c.Partition)
	if r.fence != fence {
		return messages.ErrFenced
	}
	r.next = next
	return nil
}

// book is one transaction: the fence is compared, the amount changes, and the offset moves, or nothing does.
func (l *ledger) book(rec *messages.Record, item string, amount int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.row(rec.Partition)
	switch {
	case r.fence != rec.Fence:
		return messages.ErrFenced // somebody else owns the partition
	case r.next > rec.Offset:
		return messages.SeekTo(r.next) // booked before
	}
	r.amounts[item] += amount
	r.next = rec.Offset + 1
	return nil
}

// amounts are those of one partition.
func (l *ledger) amounts(partition int32) map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.row(partition).amounts)
}

// booked is how many records were.
func (l *ledger) booked() (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rows {
		n += max(r.next, 0)
	}
	return n
}
