package committer

import "time"

// loop is what belongs to the committer's goroutine.
type loop struct {
	Core[*claim]

	untold map[*claim]struct{} // acknowledged, and not told yet

	tooLong   int  // length of the shortest metadata that the broker refused; 0: none
	curtailed bool // it was said that what is finished beyond offsets is left out for it

	readHold hold
	unstable bool      // the brokers are too old for RequireStable
	warnedAt time.Time // that committed offsets cannot be read

	// Reused from turn to turn.
	heard []*claim
	batch []sending
	dones []func(error)
}

func newLoop(interval time.Duration) loop {
	return loop{Core: NewCore[*claim](interval), untold: map[*claim]struct{}{}}
}

// run is the committer's goroutine: one request at a time, commits and reads of committed offsets in turn, because
// they share a connection that carries one request at a time.
func (c *Committer) run() {
	defer close(c.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for c.ctx.Err() == nil {
		// Taken before the identity is read: what changes from here on ends the wait below.
		changed := c.set.Coordinator.Changed()
		c.collect()
		c.send()
		c.fetch()
		c.tellOverdue()

		if at, ok := c.wake(); ok {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-c.poke:
		case <-changed:
		case <-timer.C:
		case <-c.ctx.Done():
		}
	}
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.collect()
}

// collect takes what others have left for the loop.
func (c *Committer) collect() {
	c.mu.Lock()
	listed, calls := c.listed, c.calls
	c.listed, c.calls = c.heard[:0], nil
	c.mu.Unlock()
	for _, k := range listed {
		c.Collect(k)
	}
	clear(listed)
	c.heard = listed
	for _, call := range calls {
		call.done(call.err)
	}
}

// tellOverdue tells the acknowledgements that were held back.
func (c *Committer) tellOverdue() {
	now := time.Now()
	for k := range c.untold {
		if !k.untold {
			delete(c.untold, k)
		} else if !now.Before(k.overdue()) {
			delete(c.untold, k)
			k.committed(k.next, now, true)
			c.inbox.Committed(k.claim, k.next)
		}
	}
}

// wake is when the loop has to look again if nothing happens; false: never.
func (c *Committer) wake() (at time.Time, ok bool) {
	who, now := c.set.Coordinator.Identity(), time.Now()
	at, ok = c.Wake(who, now)
	sooner := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	for k := range c.untold {
		sooner(k.overdue())
	}
	c.mu.Lock()
	reading := len(c.reads) > 0
	c.mu.Unlock()
	if reading {
		if c.readHold.active(who, now) {
			sooner(c.readHold.until)
		} else {
			sooner(now)
		}
	}
	return at, ok
}
