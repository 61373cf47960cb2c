package member

import (
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// commits is the committer of a process: one request at a time, each built anew from what is noted, in three steps.
// Between any two of them everything else may happen.
type commits struct {
	p        *proc
	open     []*tenure
	busy     bool // a turn is under way, or its request
	again    *appointment
	last     time.Duration
	hold     time.Duration
	heldFor  standing
	failures int
}

// offer is what a claim has to commit.
type offer struct {
	k        *tenure
	next     int64
	attempts int
	note     int
}

// noted takes how far a claim has come.
func (c *commits) noted(k *tenure, o offer, urgent bool) {
	if k.closed || o.next == k.note.next && o.attempts == k.note.attempts {
		return
	}
	k.said++
	o.note = k.said
	k.note, k.urgent = o, k.urgent || urgent || c.p.s.each
	c.poke(false)
}

// hurry ends a pause: somebody waits with a deadline.
func (c *commits) hurry() {
	c.hold = 0
	c.poke(false)
}

// close: whatever is not on its way is dropped.
func (c *commits) close(k *tenure) {
	k.closed = true
	c.open = slices.DeleteFunc(c.open, func(o *tenure) bool { return o == k })
}

// poke has the loop look. changed: at another identity.
func (c *commits) poke(changed bool) {
	if c.busy || changed && len(c.open) == 0 {
		return
	}
	urgent := changed || slices.ContainsFunc(c.open, func(k *tenure) bool { return k.urgent })
	d := c.p.jitter() / 4
	if wait := c.last + 20*time.Millisecond - c.p.s.now; !urgent {
		d = max(d, wait)
	}
	if c.held() {
		d = max(d, c.hold-c.p.s.now)
	}
	c.again.cancel()
	c.again = c.p.after(d, c.turn)
}

func (c *commits) held() bool { return c.p.s.now < c.hold && c.heldFor == c.p.who }

// pause is the time to the next step; the script may make it long.
func (c *commits) pause() time.Duration {
	p := c.p
	if len(p.hiccups) > 0 && p.r.IntN(2) == 0 {
		d := p.hiccups[0]
		p.hiccups = p.hiccups[1:]
		return d
	}
	return p.jitter() / 4
}

// turn (1) reads the identity.
func (c *commits) turn() {
	who := c.p.who
	if c.busy || who.member == "" || who.generation < 0 || c.held() || !slices.ContainsFunc(c.open, (*tenure).dirty) {
		return
	}
	c.busy = true
	c.p.after(c.pause(), func() { c.pick(who) })
}

func (k *tenure) dirty() bool { return k.said != k.acked }

// pick (2) leaves out what is closed or fenced.
func (c *commits) pick(who standing) {
	var list []offer
	for _, k := range c.open {
		if k.closed || k.fenced || !k.dirty() {
			continue
		}
		k.sent, k.urgent = k.said, false
		list = append(list, k.note)
	}
	if len(list) == 0 {
		c.busy = false
		return
	}
	c.last = c.p.s.now
	c.p.after(c.pause(), func() { c.send(who, list) })
}

// send (3) sends it with the identity of (1).
func (c *commits) send(who standing, list []offer) {
	c.p.call(offsetWire, apiCommit, 10*time.Second, commitRequest{who, list}, func(r reply) { c.answered(who, list, r) })
}

// answered sorts out what came of it. What has failed is built anew, never sent again.
func (c *commits) answered(who standing, list []offer, r reply) {
	p := c.p
	c.busy = false
	if err := r.fault(); err != nil {
		c.fail(who, r.code)
		if p.who == who && r.code != sarama.ErrNoError {
			p.after(p.jitter()/4, func() { p.feed(told{who.member, who.generation, err}) })
		}
		c.poke(false)
		return
	}
	c.hold, c.failures = 0, 0
	for _, o := range list {
		k := o.k
		k.acked = max(k.acked, o.note)
		if done := k.settled; done != nil && !k.dirty() {
			k.settled = nil
			done()
		}
		if p.s.each {
			k.pump()
		}
	}
	c.poke(false)
}

// fail holds everything back until the identity is another one, or a pause is over.
func (c *commits) fail(who standing, code sarama.KError) {
	first := 100 * time.Millisecond
	if code == sarama.ErrIllegalGeneration || code == sarama.ErrRebalanceInProgress {
		first = 20 * time.Millisecond
	}
	if c.heldFor != who {
		c.failures = 0
	}
	c.heldFor, c.hold = who, c.p.s.now+min(first<<min(c.failures, 6), time.Second)
	c.failures++
}
