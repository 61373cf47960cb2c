package source

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// lane is one connection to one broker: one goroutine, one request at a time, for all partitions that it serves.
type lane struct {
	source *Source
	key    laneKey
	kick   chan struct{}
	link   atomic.Pointer[link] // for Stop; else the goroutine's

	// Source.mu
	parts   map[*partition]struct{}
	changed bool

	// the goroutine
	list   []*partition // parts, as of the last look
	asks   []ask        // of the request before, for their memory
	common bool         // the last request was one for many: it is the secluded ones' turn
	turn   int          // whose
}

func newLane(s *Source, key laneKey) *lane {
	return &lane{source: s, key: key, kick: make(chan struct{}, 1), parts: map[*partition]struct{}{}}
}

// add and remove need Source.mu. A lane that rests learns of a removal by the kick: its last partition, when it goes
// while it is full or failed, would leave lane and connection behind for good.
func (l *lane) add(p *partition) {
	p.lane = l
	l.parts[p] = struct{}{}
	l.changed = true
}

func (l *lane) remove(p *partition) {
	p.lane = nil
	delete(l.parts, p)
	l.changed = true
	poke(l.kick)
}

// run is the lane's goroutine. It ends with the source, and when the lane has had no partition for long.
func (l *lane) run() {
	defer l.hangUp()
	for l.source.ctx.Err() == nil {
		r := l.build(time.Now())
		if len(r.asks) > 0 {
			l.exchange(r)
		} else if !l.rest() {
			return
		}
	}
}

// rest waits for something to do. Without partitions it does so for a while only, and then reports false.
func (l *lane) rest() bool {
	var over <-chan time.Time
	if len(l.list) == 0 {
		t := time.NewTimer(l.source.options.retireAfter)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-l.source.ctx.Done():
		return false
	case <-l.kick:
		return true
	case <-over:
		return !l.source.retire(l)
	}
}

// retire forgets a lane without partitions.
func (s *Source) retire(l *lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(l.parts) > 0 {
		return false
	}
	delete(s.lanes, l.key)
	return true
}

// exchange makes one request and deals with what comes of it.
func (l *lane) exchange(r *request) {
	s := l.source
	c := l.link.Load()
	if c == nil {
		var err error
		if c, err = open(&s.options, l.key.addr); err != nil {
			l.lose(r, err)
			return
		}
		l.link.Store(c)
		if s.ctx.Err() != nil { // Stop may have looked for a link to cut just before
			return
		}
	}
	s.requests.Add(1)
	p, err := c.fetch(r.fetch)
	switch {
	case s.ctx.Err() != nil:
	case err != nil && c.decoding(err):
		l.hangUp() // the stream may be out of step, and sarama closes for what looks like the connection's end
		l.spoiled(r, err)
	case err != nil:
		l.hangUp()
		l.lose(r, fmt.Errorf("broker %s: %w", l.key.addr, err))
	case p.ErrorCode != 0: // sessions have errors of this kind, and are not used
		s.orphan(l, r.partitions(), fmt.Errorf("broker %s: %w", l.key.addr, sarama.KError(p.ErrorCode)))
	default:
		l.take(r, p)
		if p.ThrottleTime > 0 { // sarama would wait as well (KIP-219), where nothing could end it
			s.pause(p.ThrottleTime)
		}
	}
}

// lose gives the lane's partitions back to the router after the connection failed. Those that were not asked for,
// full ones for example, have done nothing wrong: they wait for no backoff.
func (l *lane) lose(r *request, err error) {
	s := l.source
	s.orphan(l, r.partitions(), err)
	s.mu.Lock()
	for p := range l.parts {
		l.remove(p)
		p.stale = time.Now()
		s.orphans[p] = struct{}{}
	}
	s.mu.Unlock()
	poke(s.wake)
}

// spoiled deals with an answer that could not be decoded; see seclusion.
func (l *lane) spoiled(r *request, err error) {
	l.source.options.Logger.Debug("an answer cannot be decoded", "broker", l.key.addr, "partitions", len(r.asks), "error", err)
	for i := range r.asks {
		a := &r.asks[i]
		switch {
		case !r.apart:
			a.p.seclusion.seclude()
		case a.p.seclusion.spoiled(a.most):
			a.p.fail(a.turn, explain(a.p.claim.Topic, a.p.claim.Partition, a.from, err))
		}
	}
}

func (l *lane) cut() {
	if c := l.link.Load(); c != nil {
		c.cut()
	}
}

func (l *lane) hangUp() {
	if c := l.link.Swap(nil); c != nil {
		c.close()
	}
}

var errNothing = errors.New("the broker says that there is something to read, and sends nothing")
