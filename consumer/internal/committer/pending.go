package committer

import (
	"time"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// pending decides which claims go into the next request, and when. It is pure: no clock, no I/O; it knows claims
// as keys, not what they commit. It is the loop's alone.
//
// A key is in it while there is something to send for it, or on its way. Its life:
//
//	note ──▶ dirty ──sent──▶ flying ──acknowledged──▶ gone
//	           ▲                │
//	           └──failed(pause)─┘         note while flying: dirty again after the answer
//	drop: gone at once, whatever it was; what is flying cannot be recalled, but is never in a later request
type pending[K comparable] struct {
	interval time.Duration // least time between two requests while nothing is urgent

	keys   map[K]*entry
	flying bool      // a request is on its way
	last   time.Time // when the last request was sent
	hold   hold      // after a failure that concerned all
	reuse  []K       // what due answered last
}

type entry struct {
	dirty    bool
	urgent   bool // do not wait for the interval
	flying   bool
	rushed   bool      // was urgent when it was sent
	until    time.Time // its own pause
	failures int       // in a row
}

func newPending[K comparable](interval time.Duration) *pending[K] {
	return &pending[K]{interval: interval, keys: map[K]*entry{}}
}

// note says that there is something to send for k.
func (p *pending[K]) note(k K, urgent bool) {
	e := p.keys[k]
	if e == nil {
		e = &entry{}
		p.keys[k] = e
	}
	e.dirty = true
	e.urgent = e.urgent || urgent
}

// hurry ends the pauses that k is in: somebody waits for it with a deadline, and what it waits for may have been mended.
func (p *pending[K]) hurry(k K) {
	p.hold.until = time.Time{}
	if e := p.keys[k]; e != nil {
		e.until = time.Time{}
	}
}

// drop forgets k: closed, or nothing to send after all.
func (p *pending[K]) drop(k K) { delete(p.keys, k) }

// due is what goes into a request that is sent now as who; empty: none is sent. It is valid until the next call.
func (p *pending[K]) due(who conn.Identity, now time.Time) []K {
	p.reuse = p.reuse[:0]
	if p.flying || !who.Valid() || p.hold.active(who, now) {
		return nil
	}
	rush := !now.Before(p.last.Add(p.interval))
	for k, e := range p.keys {
		if e.dirty && !now.Before(e.until) {
			p.reuse = append(p.reuse, k)
			rush = rush || e.urgent
		}
	}
	if !rush {
		return nil
	}
	return p.reuse
}

// wake is the earliest time at which due answers something if nothing else happens; false: never.
func (p *pending[K]) wake(who conn.Identity, now time.Time) (at time.Time, ok bool) {
	if p.flying || !who.Valid() {
		return at, false
	}
	for _, e := range p.keys {
		if !e.dirty {
			continue
		}
		t := e.until
		if next := p.last.Add(p.interval); !e.urgent && t.Before(next) {
			t = next
		}
		if p.hold.active(who, now) && t.Before(p.hold.until) {
			t = p.hold.until
		}
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	return at, ok
}

// sent says that k is in the request that is sent now.
func (p *pending[K]) sent(k K, now time.Time) {
	p.flying, p.last = true, now
	e := p.keys[k]
	e.rushed = e.urgent
	e.flying, e.dirty, e.urgent = true, false, false
}

// answered says what came of k in the request. It is called once for each key that was sent.
func (p *pending[K]) answered(k K, v verdict, now time.Time) {
	e := p.keys[k]
	if e == nil || !e.flying { // dropped meanwhile
		return
	}
	e.flying = false
	switch {
	case !v.failed && !e.dirty:
		delete(p.keys, k)
	case !v.failed:
		e.failures, e.until = 0, time.Time{}
	default:
		e.dirty, e.urgent = true, e.urgent || e.rushed
		if !v.group {
			e.failures++
			e.until = now.Add(v.pace.after(e.failures))
		}
	}
}

// finish ends a request that was sent as who. worst is the verdict, of all it was answered with, that concerns the
// group; the zero value if none did.
func (p *pending[K]) finish(worst verdict, who conn.Identity, now time.Time) {
	p.flying = false
	if worst.failed {
		p.hold.fail(worst.pace, who, now)
	} else {
		p.hold.clear()
	}
}
