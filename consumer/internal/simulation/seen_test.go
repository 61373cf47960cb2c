package simulation

import (
	"fmt"
	"slices"

	"github.com/ottla-go/ottla/messages"
)

// seen is what a process has seen of a partition, in its claim of now. It is the ledger's, under its lock.
type seen struct {
	claim   uint64 // its number; 0: none was told yet
	last    int64  // offset of the last record that was handled; -1: any may come
	fence   int64  // of the store
	wanted  int64  // the next record is the first one at or after this; -1: nothing is expected
	skipped int64  // an operator was told that it is; -1: none
	parked  bool
	held    *stands // by an operator's word; nil: nothing
	orders  int     // of an operator, that are not answered
	ordered int     // how many there have been
}

func newSeen() *seen { return &seen{last: -1, wanted: -1, skipped: -1} }

func (p *process) seenOf(partition int32) *seen {
	if p.seen[partition] == nil {
		p.seen[partition] = newSeen()
	}
	return p.seen[partition]
}

// next is the next record; all are the offsets of the log. It answers what is wrong with it.
func (s *seen) next(r *messages.Record, all []int64) (why string) {
	switch {
	case r.Fence != s.fence: // from before the store was acquired anew
		return ""
	case s.parked && s.orders == 0:
		why = ", and the partition is parked"
	case r.Offset == s.skipped:
		why = ", which was skipped"
	case s.wanted >= 0:
		i, _ := slices.BinarySearch(all, s.wanted)
		if i == len(all) || all[i] != r.Offset {
			why = fmt.Sprintf(" after a seek to %d, which is index %d of the log", s.wanted, i)
		}
	case r.Offset < s.last:
		why = fmt.Sprintf(" after %d in the same claim", s.last)
	}
	s.wanted, s.last = -1, r.Offset
	return why
}

// seek: the next record is the first one at or after an offset.
func (s *seen) seek(next int64) { s.wanted, s.last, s.skipped, s.held = max(next, 0), -1, -1, nil }

// acquired: the store has a new owner.
func (l *ledger) acquired(who *process, partition int32, r row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notef("%s acquires %s/%d at %d with fence %d", who.name, topic, partition, r.next, r.fence)
	if !who.dead {
		l.partitions[partition].acquirer = who
		s := who.seenOf(partition)
		s.fence = r.fence
		s.seek(r.next)
	}
}

// sought: a handler was told that the record is done, and asks for the next one.
func (l *ledger) sought(who *process, partition int32, r row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.seeks++
	l.notef("%s seeks %s/%d to %d", who.name, topic, partition, r.next)
	if s := who.seenOf(partition); s.fence == r.fence {
		s.seek(r.next)
	}
}

// stores: the owner of the store's row does one record. It must be the first that is not done.
func (l *ledger) stores(who *process, partition int32, offset int64, how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.saves++
	l.notef("%s %s %s/%d@%d in the store", who.name, how, topic, partition, offset)
	a, all := &l.partitions[partition], l.shelf.all(partition)
	if a.front < len(all) && offset > all[a.front] {
		l.violatef("%s %s %s/%d@%d in the store, and %d before it is not done", who.name, how, topic, partition, offset, all[a.front])
	}
	if s := who.seenOf(partition); s.wanted >= 0 && s.wanted <= offset { // skipped before anything was handled since the seek
		s.wanted = offset + 1
	}
	l.leaves(partition, offset)
	a.furthest = max(a.furthest, offset+1)
}

// put: somebody has moved the store's row.
func (l *ledger) put(partition int32, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notef("the store has %s/%d at %d now", topic, partition, next)
	a, all := &l.partitions[partition], l.shelf.all(partition)
	a.front, _ = slices.BinarySearch(all, next)
	for i, offset := range all {
		a.done[offset] = i < a.front
	}
	a.furthest = max(a.furthest, next)
}

// ordered: an operator asks for something about a head. From now on it may leave, if it is to be skipped.
func (l *ledger) ordered(who *process, head messages.Head, skip bool) *seen {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := who.seenOf(head.Partition)
	s.orders++
	s.ordered++
	if skip && who.world.keeps == kafka { // a store is told of it
		l.partitions[head.Partition].may[head.Offset]++
		l.advance(head.Partition)
	}
	return s
}

// obeyed: the answer. What was refused stays, unless it has been done meanwhile.
func (l *ledger) obeyed(who *process, s *seen, head messages.Head, skip bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.orders--
	if err == nil {
		s.parked, s.held = false, nil
	}
	if !skip || who.world.keeps != kafka {
		return
	}
	a := &l.partitions[head.Partition]
	if a.may[head.Offset]--; err == nil {
		l.counts.skips++
		s.skipped = head.Offset
		l.leaves(head.Partition, head.Offset)
		return
	}
	a.front = 0
	l.advance(head.Partition)
}
