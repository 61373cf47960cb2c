package simulation

import (
	"fmt"
	"slices"

	"github.com/ottla-go/ottla/messages"
)

// seen is what a process has seen of a partition, in its claim of now. It is the ledger's, under its lock.
type seen struct {
	claim    uint64 // its number; 0: none was told yet
	stand    int64  // the next record is the first one of the log at or after this; -1: nobody knows
	fence    int64  // of the store
	lettered int64  // offset of the last record that was written as a dead letter, and acknowledged
	parked   bool
	held     *stands // by an operator's word; nil: nothing
	orders   int     // of an operator, that are not answered
	ordered  int     // how many there have been

	carry   carry // what the claim began with
	life    life  // the head's
	recent  []taken
	strange bool // an attempt of an older fence was decided about
}

// carry is what the committed metadata says of the record at an offset.
type carry struct {
	offset   int64
	attempts int
}

func newSeen() *seen {
	return &seen{stand: -1, lettered: -1, carry: carry{offset: -1}, life: life{offset: -1}}
}

func (p *process) seenOf(partition int32) *seen {
	if p.seen[partition] == nil {
		p.seen[partition] = newSeen()
	}
	return p.seen[partition]
}

// next is the next record; all are the offsets of the log, and may are those that others may be having skipped. It answers what
// is wrong with it. Every record has to come, until it has left in this very claim: whatever another one has done with it was not
// committed when this one began.
func (s *seen) next(r *messages.Record, all []int64, may map[int64]int) (why string) {
	if s.parked && s.orders == 0 {
		why = ", and the partition is parked"
	}
	if s.stand >= 0 {
		i, _ := slices.BinarySearch(all, s.stand)
		for i < len(all) && all[i] != r.Offset && (may[all[i]] > 0 || s.lettered == all[i]) {
			i++
		}
		switch {
		case i < len(all) && all[i] == r.Offset:
		case r.Offset < s.stand:
			why = fmt.Sprintf(", which has left: the claim stands at %d", s.stand)
		default:
			why = fmt.Sprintf(", while the claim stands at %d, which is index %d of the log", s.stand, i)
		}
	}
	s.stand = r.Offset
	return why
}

// seek: the next record is the first one at or after an offset.
func (s *seen) seek(next int64) { s.stand, s.held = max(next, 0), nil; s.moved() }

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
	if s := who.seenOf(partition); how == skips {
		if why := who.skips(s, offset); why != "" {
			l.violatef("%s %s %s/%d@%d in the store%s", who.name, how, topic, partition, offset, why)
		}
		s.stand = max(s.stand, offset+1)
	}
	l.leaves(partition, offset)
	a.furthest = max(a.furthest, offset+1)
}

// How a record gets into a store.
const (
	saves = "saves"
	skips = "skips"
)

// skips says why a record may not be skipped; "": the policy says so, its letter is acknowledged, or an operator asks for it.
func (p *process) skips(s *seen, offset int64) string {
	q := s.life.asked
	if s.orders > 0 || s.strange || s.life.blurred || q != nil && p.gate.since(q.at) {
		return ""
	}
	if q == nil || s.life.offset != offset {
		return ", which nobody has asked for"
	}
	if len(s.life.taken) == 0 {
		s.life.carried = q.attempt
	}
	switch _, k, r := p.world.decide(s, q.class, q.err, q.at); {
	case s.lettered == offset && q.letter, !q.letter && r.do[k].action == messages.ActionSkip:
		return ""
	default:
		return fmt.Sprintf(", and is to %v it", r.do[k].action)
	}
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

// order is what an operator asks for about a head.
type order int

const (
	asRetry order = iota
	asSkip
	asLetter
)

func (o order) String() string { return [...]string{"retry", "skip", "dead-letter"}[o] }

// ordered: an operator asks for something about a head. From now on it may leave, if it is to be skipped.
func (l *ledger) ordered(who *process, head messages.Head, what order) *seen {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := who.seenOf(head.Partition)
	s.orders++
	who.asked[head.Partition]++
	s.ordered++
	if what == asSkip && who.world.keeps == kafka { // a store is told of it
		l.partitions[head.Partition].may[head.Offset]++
		l.advance(head.Partition)
	}
	return s
}

// obeyed: the answer. What was refused stays, unless it has been done meanwhile.
func (l *ledger) obeyed(who *process, s *seen, head messages.Head, what order, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.orders--
	who.asked[head.Partition]--
	if err == nil {
		s.parked, s.held = false, nil
	}
	if err == nil && what == asLetter && s.lettered != head.Offset {
		l.violatef("%s answers that %s/%d@%d is a dead letter, and none is acknowledged", who.name, topic, head.Partition, head.Offset)
	}
	if err == nil && what != asRetry {
		s.gone(head.Offset)
	}
	if what != asSkip || who.world.keeps != kafka {
		return
	}
	a := &l.partitions[head.Partition]
	if a.may[head.Offset]--; err == nil {
		l.counts.skips++
		l.leaves(head.Partition, head.Offset)
		return
	}
	a.front = 0
	l.advance(head.Partition)
}
