package actors

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// Breaker holds back the records of all partitions of a consumer while one of them probes whether what they need is there
// again. It opens by a verdict, and closes by the probe's success; what its probe is and becomes says circuit.
//
// It is a gate of its own: a hold, a park and a pause of a partition are not ended by it, nor it by them. What is with a
// handler when it opens finishes. A partition that is assigned while it is open is held back as the others are.
//
// Mailboxes ask it under their lock, so it never calls them under its own. Those that it has refused it wakes in a timer's
// goroutine, which tells of its changes, too. A nil Breaker is never open.
type Breaker struct {
	tell func(BreakerChange)

	opened   atomic.Bool // so that nobody takes the lock for a record while it is closed
	openings atomic.Uint64

	mu      sync.Mutex
	circuit circuit
	refused map[*Mailbox]struct{}
	timer   *time.Timer // of wake
	wakes   time.Time   // when it does
	untold  []BreakerChange
	telling bool // somebody is at untold
	ended   bool
}

// BreakerChange is an opening, or its end.
type BreakerChange struct {
	Opened   bool
	Claim    messages.Claim    // whose head is, or was, the probe
	Failure  messages.Failure  // that it has opened for
	Decision messages.Decision // on that
	Open     time.Duration     // at its end: for how long it was
}

// BreakerState is what a status shows.
type BreakerState struct {
	Open  bool
	Since time.Time
	Probe *messages.Claim // whose head is the probe; nil: that of the next partition which has one, also where it is overdue
	Out   bool            // it is with its handler
	Next  time.Time       // else: not before
}

// NewBreaker makes one that is closed. Each of its changes is told once, in their order and one at a time, a moment later
// and from any goroutine; tell must not block.
func NewBreaker(tell func(BreakerChange)) *Breaker {
	return &Breaker{tell: tell, refused: map[*Mailbox]struct{}{}}
}

// Openings counts how often it was opened.
func (b *Breaker) Openings() uint64 {
	if b == nil {
		return 0
	}
	return b.openings.Load()
}

// State is that of now.
func (b *Breaker) State() BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &b.circuit
	if !c.open {
		return BreakerState{}
	}
	s := BreakerState{Open: true, Since: c.since, Out: c.out, Next: c.until}
	if c.probe != nil && (c.out || time.Now().Before(c.anybodyAt())) {
		claim := c.probe.set.Claim
		s.Probe = &claim
	}
	return s
}

// End wakes nobody any more.
func (b *Breaker) End() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	if b.timer != nil {
		b.timer.Stop()
	}
}

// bars says whether a head of m is held back now; if so, m is woken when that may have changed.
func (b *Breaker) bars(m *Mailbox) bool {
	if b == nil || !b.opened.Load() {
		return false
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.circuit.admits(m, now) && b.refuse(m, now)
}

// admit lets m's head through, if it may.
func (b *Breaker) admit(m *Mailbox) (ok, probe bool) {
	if b == nil || !b.opened.Load() {
		return true, false
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	ok, probe = b.circuit.admit(m, now)
	if !ok {
		b.refuse(m, now)
	}
	return ok, probe
}

func (b *Breaker) refuse(m *Mailbox, now time.Time) bool {
	b.refused[m] = struct{}{}
	b.wakeAt(now)
	return true
}

// wakeAt has those who were refused ask again as soon as one of them may be let through. The timer is one for all. While a
// head is with its handler, its end says when.
func (b *Breaker) wakeAt(now time.Time) {
	at := now
	if c := &b.circuit; c.open && len(b.untold) == 0 {
		if c.out || len(b.refused) == 0 {
			return
		}
		if at = c.anybodyAt(); at.Before(now) {
			at = now
		}
	}
	if b.ended || b.timer != nil && !at.Before(b.wakes) { // one that is too early asks for the next
		return
	}
	if b.timer != nil {
		b.timer.Stop() // if it has fired already, it wakes once too often
	}
	b.timer, b.wakes = time.AfterFunc(at.Sub(now), b.wake), at
}

func (b *Breaker) wake() {
	b.mu.Lock()
	if b.ended {
		b.mu.Unlock()
		return
	}
	b.timer = nil
	wake := make([]*Mailbox, 0, len(b.refused))
	for m := range b.refused {
		wake = append(wake, m)
	}
	clear(b.refused)
	b.tellAll()
	b.mu.Unlock()
	for _, m := range wake {
		m.mu.Lock()
		m.kick()
	}
}

// tellAll needs the lock, and is without it while it tells: who comes meanwhile leaves it to the one who is at it. Two at a
// time could tell of an end before the opening.
func (b *Breaker) tellAll() {
	if b.telling {
		return
	}
	b.telling = true
	for len(b.untold) > 0 && !b.ended {
		next := b.untold[0]
		b.untold = b.untold[1:]
		b.mu.Unlock()
		b.tell(next)
		b.mu.Lock()
	}
	b.telling = false
}

// say has c told.
func (b *Breaker) say(c BreakerChange, now time.Time) {
	b.untold = append(b.untold, c)
	b.wakeAt(now)
}

// trip opens it for m's head, which waits for the delay that was decided, or keeps it open. Openings was that of when the
// attempt began.
func (b *Breaker) trip(m *Mailbox, failure messages.Failure, d messages.Decision, openings uint64) {
	if b == nil {
		return
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.circuit.trip(m, now, d.Delay, openings) {
		b.openings.Store(b.circuit.count)
		b.opened.Store(true)
		b.say(BreakerChange{Opened: true, Claim: m.set.Claim, Failure: failure, Decision: d}, now)
	}
	b.wakeAt(now)
}

// succeed closes it, if m's head is the probe.
func (b *Breaker) succeed(m *Mailbox) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	since := b.circuit.since
	if !b.circuit.succeed(m) {
		return
	}
	b.opened.Store(false)
	b.say(BreakerChange{Claim: m.set.Claim, Open: now.Sub(since)}, now)
}

// yield: m's head will not come, if it is the probe and not with its handler.
func (b *Breaker) yield(m *Mailbox) {
	b.withdraw(func(c *circuit, _ time.Time) bool { return c.yield(m) })
}

// abort: m's probe was with its handler, and its end says nothing.
func (b *Breaker) abort(m *Mailbox) {
	b.withdraw(func(c *circuit, now time.Time) bool { return c.abort(m, now) })
}

func (b *Breaker) withdraw(by func(*circuit, time.Time) bool) {
	if b == nil || !b.opened.Load() {
		return
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if by(&b.circuit, now) {
		b.wakeAt(now)
	}
}

// forget is for a mailbox that has ended.
func (b *Breaker) forget(m *Mailbox) {
	if b == nil {
		return
	}
	b.yield(m)
	b.abort(m)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.refused, m)
}
