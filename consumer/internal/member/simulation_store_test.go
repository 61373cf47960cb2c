package member

import (
	"slices"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// row is where a partition stands in the store, whom all processes have in common: the handler's transaction is one step.
type row struct{ next, fence int64 }

// acquire begins a claim where the store says, and makes it the owner; again, after it was fenced.
func (p *proc) acquire(k *tenure) {
	p.after(p.jitter(), func() {
		r := &p.s.ledger.partitions[k.partition].row
		switch {
		case k.closed || k.leaving || k.lost:
		case p.s.storeFails():
			p.after(100*time.Millisecond, func() { p.acquire(k) })
		default:
			r.fence++
			p.s.notef("p%d acquires %v at %d with fence %d", p.no, k.at, r.next, r.fence)
			k.fence, k.open = r.fence, true
			k.reseek(r.next)
		}
	})
}

// reseek goes on somewhere else.
func (k *tenure) reseek(next int64) {
	k.seek = k.backlog.Await(next)
	k.position, k.wanted, k.parked = next, next, false
	k.fetch()
}

func (s *sim) storeFails() bool {
	if s.storeTrouble > 0 && !s.peace {
		s.storeTrouble--
		return true
	}
	return false
}

// save is what a handler's transaction comes to.
type save int

const (
	saved save = iota
	refused
	fencedOff
	doneBefore
)

// save does a record, and writes down that it is done.
func (k *tenure) save(offset int64) save {
	s, r := k.p.s, &k.p.s.ledger.partitions[k.partition].row
	switch {
	case s.storeFails():
		return refused
	case k.fence != r.fence:
		return fencedOff
	case offset < r.next:
		return doneBefore
	}
	s.ledger.stores(k, offset)
	r.next = offset + 1
	if s.unsure > 0 && !s.peace {
		s.unsure--
		return refused // it is done, and nobody knows
	}
	return saved
}

// settle is what becomes of a record that was handled well; false: it has failed.
func (k *tenure) settle(f *flight) bool {
	switch k.save(f.offset) {
	case saved:
		k.backlog.Finish(f.offset)
	case refused:
		f.whim = whim{fails: true}
		return false
	case fencedOff: // hold, then acquire again
		k.p.s.notef("p%d is fenced with %d@%d", k.p.no, k.partition, f.offset)
		k.backlog.Fail(f.offset, nil)
		k.backlog.Park("fenced", messages.ClassFenced)
		k.p.after(time.Second, func() { k.p.acquire(k) })
	case doneBefore:
		next := k.p.s.ledger.partitions[k.partition].row.next
		k.p.s.ledger.seeks++
		k.p.s.notef("p%d seeks %d to %d", k.p.no, k.partition, next)
		k.reseek(next)
	}
	return true
}

// stores: the owner of a row does one record, which must be the first that is not done.
func (l *ledger) stores(k *tenure, offset int64) {
	a, all := &l.partitions[k.partition], l.s.shelf.offsets[k.partition]
	l.saves++
	l.s.notef("the store has %d@%d, of p%d", k.partition, offset, k.p.no)
	if a.front < len(all) && offset > all[a.front] {
		l.violate("a store passes a record", "p%d stores %d@%d, and %d before it is not done", k.p.no, k.partition, offset, all[a.front])
	}
	if offset+1 < a.row.next {
		l.violate("a store goes back", "p%d stores %d@%d, and it stands at %d", k.p.no, k.partition, offset, a.row.next)
	}
	l.leaves(k.partition, offset)
}

// put moves a row, as somebody does who restores a database; its owner is fenced.
func (s *sim) put(partition int32, part float64) {
	a, all := &s.ledger.partitions[partition], s.shelf.offsets[partition]
	a.row = row{int64(float64(s.shelf.end(partition)) * part), a.row.fence + 1}
	s.notef("the store has %d at %d now", partition, a.row.next)
	a.front, _ = slices.BinarySearch(all, a.row.next)
	for i, offset := range all {
		a.done[offset] = i < a.front
	}
}

// order is an operator's command about a head that was seen before: of a partition that waits, as the mailbox sees to.
func (s *sim) order(p *proc, partition int32, head int64, skip bool) {
	k := p.current[partition]
	if k == nil || k.leaving || k.flight != nil || k.backlog.Awaiting() || k.backlog.Gate().Kind == actors.Open ||
		k.backlog.Gate().Class == messages.ClassFenced || k.backlog.Next() != head || k.backlog.Unfinished() == 0 {
		return
	}
	if skip && s.stored {
		if k.fence != s.ledger.partitions[partition].row.fence {
			return
		}
		s.ledger.stores(k, head)
		s.ledger.partitions[partition].row.next = head + 1
	}
	s.ledger.orders++
	s.notef("an operator has p%d go on with %d@%d, skip %v", p.no, partition, head, skip)
	k.backlog.Release()
	k.parked = false
	if skip {
		s.ledger.leaves(partition, head)
		k.backlog.Finish(head)
	}
	if !s.stored {
		p.commits.say(k, k.progress(), skip)
	}
	k.pump()
}

// disturbStore is something that befalls the store.
func (a *author) disturbStore() {
	n, partition, part := 1+a.r.IntN(5), int32(a.r.IntN(a.partitions)), a.r.Float64()
	switch a.r.IntN(3) {
	case 0:
		a.add(func(s *sim) { s.storeTrouble += n }, "%d calls of the store fail", n)
	case 1:
		a.add(func(s *sim) { s.unsure += n }, "%d saves are done, and fail to say so", n)
	case 2:
		a.add(func(s *sim) { s.put(partition, part) }, "the store of %d is put to %.2f of its log", partition, part)
	}
}

// operate has an operator look at a head, and act on it a while later.
func (a *author) operate(no int) {
	partition, d, skip := int32(a.r.IntN(a.partitions)), a.long(3000), a.r.IntN(2) == 0
	a.one(no, func(p *proc) {
		if k := p.current[partition]; k != nil {
			head := k.backlog.Next()
			p.after(d, func() { p.s.order(p, partition, head, skip) })
		}
	}, "an operator looks at the head of %d, and %v later has it skipped (%v) or tried again", partition, d, skip)
}
