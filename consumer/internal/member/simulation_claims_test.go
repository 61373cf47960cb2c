package member

import (
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/committer"
)

// tenure is one claim, from its assignment to its end. What the supervisor, the mailbox and the committer know of it
// is in one place here; who may read which of it when is what the steps are about.
type tenure struct {
	p         *proc
	at        tp
	partition int32
	number    int // of the partition's claims, over all processes

	// The member's.
	fenced  bool    // it is lost: no request has it any more
	by      instant // to be given up by
	toldAt  time.Duration
	pressed bool // less than the reserve was left

	// The supervisor's.
	leaving, lost, flushing, gone bool
	cancelled                     bool // contexts have ended
	abandoned                     bool
	deadline                      time.Duration
	timer                         *appointment

	// The mailbox's.
	backlog actors.Backlog
	seek    uint64
	flight  *flight
	fence   int64 // of the store
	parked  bool
	wanted  int64 // the next record is the first one at or after this; -1: nothing is expected

	// The source's.
	open     bool
	fetching bool
	position int64

	// The committer's.
	closed bool
	notes  committer.Notes
	told   actors.Progress // the newest
	awaits int             // acknowledgements, without which no record is begun
}

// assigned: the member tells it to the supervisor.
func (p *proc) assigned(at tp) {
	k := &tenure{p: p, at: at, partition: at.partition, wanted: -1}
	p.live[at] = k
	p.s.ledger.owns(k)
	p.desk(func() {
		if p.current[k.partition] != nil {
			p.waiting[k.partition] = k // until the earlier one has ended
		} else {
			p.take(k)
		}
	})
}

func (p *proc) revoked(now instant, k *tenure, by instant) {
	k.by, k.toldAt = by, p.s.now
	k.pressed = k.pressed || now.until(by) < p.m.reserve()
	p.asked[k] = true
	p.s.ledger.expect(k)
	deadline := p.s.now + now.until(by)
	p.desk(func() {
		switch {
		case p.waiting[k.partition] == k:
			delete(p.waiting, k.partition)
			k.gone = true
			p.release(k)
		case k.gone:
			p.release(k)
		default:
			p.giveUp(k, deadline)
		}
	})
}

// lost: the fence stands before the supervisor's inbox.
func (p *proc) lost(k *tenure, err error) {
	k.fenced = true
	k.notes.Fence()
	delete(p.live, k.at)
	delete(p.asked, k)
	p.s.ledger.lost(k, err)
	p.desk(func() {
		switch {
		case p.waiting[k.partition] == k:
			delete(p.waiting, k.partition)
		case !k.gone && !k.lost:
			k.lost, k.cancelled = true, true
			k.detach()
			p.commits.close(k)
			if k.flight == nil {
				p.letGo(k)
			} else {
				k.heed()
				p.grace(k)
			}
		}
	})
}

// take begins a claim: where does it start?
func (p *proc) take(k *tenure) {
	p.current[k.partition] = k
	p.start(k)
}

func (p *proc) start(k *tenure) {
	if p.s.stored {
		p.acquire(k)
		return
	}
	p.call(offsetWire, apiRead, 5*time.Second, readRequest{k.partition}, func(r reply) {
		switch got, ok := r.body.(actors.Progress); {
		case k.closed || k.leaving || k.lost:
		case !ok:
			p.after(100*time.Millisecond, func() { p.start(k) })
		default:
			p.s.notef("p%d begins %v at %+v", p.no, k.at, got)
			k.told = got
			k.seek = k.backlog.Await(got.Next)
			k.backlog.Carry(got.Next, got.Attempt)
			if got.Parked {
				k.park(got.Reason)
			}
			k.open, k.position = true, got.Next
			k.fetch()
		}
	})
}

// detach ends what would still bring something in.
func (k *tenure) detach() {
	if !k.leaving {
		k.leaving, k.open = true, false
		k.timer.cancel()
		k.backlog.Stop()
	}
}

// giveUp ends a claim in order: the record in flight may finish until the deadline.
func (p *proc) giveUp(k *tenure, deadline time.Duration) {
	if k.lost || k.leaving && deadline >= k.deadline {
		return
	}
	again := k.leaving
	k.deadline = deadline
	k.detach()
	switch {
	case k.flight == nil && !again:
		p.flush(k)
	case k.flushing:
		k.later(max(0, k.deadline-p.s.now)+p.m.reserve()/2, func() { p.letGo(k) })
	case !k.cancelled:
		k.later(max(0, deadline-p.s.now), func() {
			k.cancelled = true
			k.heed()
			p.grace(k)
		})
	}
}

// grace is for a handler whose context has ended; then it is left behind.
func (p *proc) grace(k *tenure) {
	k.later(min(p.m.reserve()/4, 2*time.Second), func() {
		if k.flight != nil {
			p.s.notef("p%d abandons %v at %d", p.no, k.at, k.flight.offset)
			k.abandoned = true
			p.flush(k)
		}
	})
}

// flush commits what is finished, then lets go.
func (p *proc) flush(k *tenure) {
	if k.flushing || k.gone {
		return
	}
	k.flushing = true
	if k.lost || !p.commits.flush(k, func() { p.desk(func() { p.letGo(k) }) }) {
		p.letGo(k)
		return
	}
	k.later(max(0, k.deadline-p.s.now)+p.m.reserve()/2, func() { p.letGo(k) })
}

// letGo is the end of a claim: it is closed before anybody else can own the partition.
func (p *proc) letGo(k *tenure) {
	if k.gone {
		return
	}
	k.gone = true
	k.timer.cancel()
	p.commits.close(k)
	if !k.lost {
		p.release(k)
	}
	delete(p.current, k.partition)
	if next := p.waiting[k.partition]; next != nil {
		delete(p.waiting, k.partition)
		p.take(next)
	}
}

// release tells the member, which looks whether it is the claim of now.
func (p *proc) release(k *tenure) {
	p.after(p.jitter()/4, func() {
		if p.live[k.at] == k && p.asked[k] {
			delete(p.live, k.at)
			delete(p.asked, k)
			p.feed(released{[]tp{k.at}})
		}
	})
}
