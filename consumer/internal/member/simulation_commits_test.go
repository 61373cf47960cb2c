package member

import (
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/committer"
	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// commits is the committer of a process: its core, and what each claim has to commit, are the real ones. Here are only
// the loop's steps, in the order in which the loop takes them; between any two of them everything else may happen.
type commits struct {
	p      *proc
	core   committer.Core[*tenure]
	listed []*tenure
	busy   bool // a turn is under way, or its request
	again  *appointment
}

func newCommits(p *proc) *commits {
	return &commits{p: p, core: committer.NewCore[*tenure](20 * time.Millisecond)}
}

// offer is what a request says of a claim.
type offer struct {
	k *tenure
	actors.Progress
}

// Kept implements committer.Keeper.
func (k *tenure) Kept() *committer.Notes { return &k.notes }

// date is a time of the simulation, as the core wants it.
func (s *sim) date() time.Time { return time.Unix(0, 0).Add(s.now) }

// say takes how far a claim has come. With a commit for each record, the next one waits until it is acknowledged.
func (c *commits) say(k *tenure, p actors.Progress, urgent bool) {
	if k.closed || p.Equal(k.told) {
		return
	}
	k.told = p
	var done func(error)
	if c.p.s.each {
		k.awaits++
		done = func(error) {
			k.awaits--
			k.pump()
		}
	}
	list, over, err := k.notes.Say(p, urgent || c.p.s.each, done)
	switch {
	case over && done != nil: // by the loop, not by who says it
		c.p.after(0, func() { done(err) })
	case list:
		c.list(k)
	}
}

// flush has done called when the last note of a claim is acknowledged; false: it is.
func (c *commits) flush(k *tenure, done func()) bool {
	list, over, _ := k.notes.Flush(func(error) { done() })
	if list {
		c.list(k)
	}
	return !over
}

// close: whatever is not on its way is dropped. Nobody waits any more.
func (c *commits) close(k *tenure) {
	k.closed = true
	if _, _, _, again := k.notes.Close(); !again {
		c.list(k)
	}
}

// list has the loop look at a claim.
func (c *commits) list(k *tenure) {
	c.listed = append(c.listed, k)
	c.poke()
}

// poke has the loop look soon.
func (c *commits) poke() {
	if !c.busy {
		c.again.cancel()
		c.again = c.p.after(c.p.jitter()/4, c.turn)
	}
}

// wake has it look when the core wants it to.
func (c *commits) wake() {
	c.busy = false
	if len(c.listed) > 0 {
		c.poke()
		return
	}
	c.again.cancel()
	if at, ok := c.core.Wake(c.p.place.Identity(), c.p.s.date()); ok {
		c.again = c.p.after(max(at.Sub(c.p.s.date()), c.p.jitter()/4), c.turn)
	}
}

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

// turn collects what it was told, and (1) reads the identity.
func (c *commits) turn() {
	if c.busy {
		return
	}
	for _, k := range c.listed {
		c.core.Collect(k)
	}
	c.listed = nil
	who := c.p.place.Identity()
	due := slices.SortedFunc(slices.Values(c.core.Due(who, c.p.s.date())), func(a, b *tenure) int { return int(a.partition - b.partition) })
	if len(due) == 0 {
		c.wake()
		return
	}
	c.busy = true
	c.p.after(c.pause(), func() { c.pick(who, due, nil) })
}

// pick (2) leaves out what is closed or fenced.
func (c *commits) pick(who conn.Identity, due []*tenure, list []offer) {
	for i, k := range due {
		if p, ok := c.core.Take(k, c.p.s.date()); ok {
			list = append(list, offer{k, p})
		}
		if rest := due[i+1:]; len(rest) > 0 && c.p.r.IntN(4) == 0 {
			c.p.after(c.pause(), func() { c.pick(who, rest, list) })
			return
		}
	}
	if len(list) == 0 {
		c.wake()
		return
	}
	c.p.after(c.pause(), func() { c.send(who, list) })
}

// send (3) sends it with the identity of (1).
func (c *commits) send(who conn.Identity, list []offer) {
	c.p.call(offsetWire, apiCommit, 10*time.Second, commitRequest{who, list}, func(r reply) { c.answered(who, list, r) })
}

// answered sorts out what came of it. What has failed is built anew, never sent again.
func (c *commits) answered(who conn.Identity, list []offer, r reply) {
	p, now := c.p, c.p.s.date()
	err := r.fault()
	if r.err != nil {
		err = committer.Unanswered(err)
	}
	var dones []func(error)
	for _, o := range list {
		if c.core.Answered(o.k, err, now); err == nil {
			dones, _ = o.k.notes.Acknowledged(dones)
		} else if closed, _ := o.k.notes.Refused(); closed {
			c.core.Drop(o.k)
		}
	}
	if report := c.core.Finish(who, now); report != nil && r.code != sarama.ErrNoError {
		p.place.Report(who, report)
	}
	for _, done := range dones {
		done(nil)
	}
	c.wake()
}
