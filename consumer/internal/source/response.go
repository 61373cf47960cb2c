package source

import (
	"fmt"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/actors"
)

// take hands each partition its part of an answer.
func (l *lane) take(r *request, p *sarama.FetchResponse) {
	for i := range r.asks {
		a := &r.asks[i]
		block := p.GetBlock(a.p.claim.Topic, a.p.claim.Partition)
		if block == nil { // there was no space for it, or the broker throttles
			if p.ThrottleTime == 0 {
				l.missed(r, a)
			}
			continue
		}
		switch judge(block.Err) {
		case fine:
			l.feed(r, a, block, p.ThrottleTime > 0)
		case giveUp:
			a.p.fail(a.turn, explain(a.p.claim.Topic, a.p.claim.Partition, a.from, block.Err))
		case tryAgain: // moved, no leader, fenced, a broken disk, …: ask again, perhaps elsewhere
			l.source.orphan(l, []*partition{a.p}, fmt.Errorf("broker %s: %w", l.key.addr, block.Err))
		}
	}
}

// feed hands one partition what came for it.
func (l *lane) feed(r *request, a *ask, block *sarama.FetchResponseBlock, throttled bool) {
	o := &l.source.options
	h := filter(block, a.from, o.Isolation == ReadCommitted)
	if next, ok := afterEmpty(block); ok {
		h.next = max(h.next, next)
	}
	x := extent(block, h.next)
	readable := x.HighWater
	if o.Isolation == ReadCommitted {
		readable = x.LastStable
	}
	switch {
	case h.next > a.from:
		a.p.appetite.fed(&h, a.most, h.next < readable && r.crowd == 0)
		if r.apart {
			a.p.seclusion.passed(a.most, a.usual)
		}
	case h.torn && r.apart: // it was sent whole, and is not: the decoder takes a short batch for one that was cut
		a.p.seclusion = seclusion{}
		err := sarama.ErrInsufficientData
		if block.Partial {
			err = errCrammed
		}
		a.p.fail(a.turn, explain(a.p.claim.Topic, a.p.claim.Partition, a.from, err))
		return
	case h.torn:
		a.p.seclusion.seclude()
		return
	case a.from < readable && !throttled:
		if l.missed(r, a) {
			return
		}
	case r.apart: // nothing there: no fault of its own
		a.p.seclusion = seclusion{}
	}
	if a.p.troubled && (h.next > a.from || a.from >= readable) {
		a.p.troubled = false
		l.source.readable(a.p)
	}
	var b actors.Batch = noRecords{}
	if h.records > 0 {
		b = &batch{topic: a.p.claim.Topic, partition: a.p.claim.Partition, wires: h.wires, records: h.records}
	}
	a.p.deliver(a.turn, b, x)
}

// missed: the partition got nothing although there was something for it. gone says that it was given back to the
// router: it may be on another lane by now, which has read on, and this one has nothing to say of it any more.
func (l *lane) missed(r *request, a *ask) (gone bool) {
	switch a.p.appetite.missed(a.most, l.source.options.PartitionBytes, r.crowd); {
	case r.apart: // with a request of its own it must get something: this is not going to end by itself
		a.p.seclusion = seclusion{}
		l.source.orphan(l, []*partition{a.p}, fmt.Errorf("broker %s: %w", l.key.addr, errNothing))
		return true
	case a.p.appetite.starved(r.crowd):
		a.p.seclusion.seclude()
	}
	return false
}

func extent(block *sarama.FetchResponseBlock, next int64) actors.Extent {
	x := actors.Extent{Next: next, HighWater: block.HighWaterMarkOffset, LastStable: block.LastStableOffset, LogStart: block.LogStartOffset}
	if x.LastStable < 0 { // the broker does not tell
		x.LastStable = x.HighWater
	}
	return x
}
