package actors

import "time"

// circuit is what a Breaker decides by: a value that knows no clock, lock or goroutine. Its zero value is closed.
//
// While it is open one head is let through at a time, the probe, and its success closes it. The probe is the head that has
// opened it, which waits for its own backoff. When that one will not come for long, or never, it is nobody's, and the next
// head that asks after the pace becomes it:
//
//   - its claim ends: revoked, lost, stopped;
//   - it was given up, dead-lettered, parked or paused, by the policy or by an operator; while it is with its handler, when that
//     has returned, and while it is being dead-lettered, when that is answered;
//   - its next failure is decided otherwise, by a rule for something else: that the downstream has failed again is not
//     said, nor that it has not, and the delays of that rule are for that record and not for all partitions;
//   - its position has moved; its actor waits for something else, or has stopped.
//
// It does not close by any of these: that would let every partition run at what is still away.
//
// There may be others: a slow rate, an actor that is busy with a message, a hook that hangs. Therefore a probe that is overdue
// is nobody's, too, whatever keeps it. Who is with its handler is not overdue: what it is at is what all wait for.
type circuit struct {
	open  bool
	count uint64 // of openings
	since time.Time
	probe *Mailbox      // whose head is the probe; nil: nobody's
	out   bool          // the probe is with its handler
	pace  time.Duration // the newest one
	until time.Time     // no head is let through before, while the probe is nobody's
}

// overdue is how late a probe may be at least; where the pace is slower, it may be as late as that. A restart of the actor,
// and what is before the head in the mailbox, take moments.
const overdue = time.Minute

// anybodyAt is from when on any head may become the probe, unless one is with its handler.
func (c *circuit) anybodyAt() time.Time {
	if c.probe == nil {
		return c.until
	}
	return c.until.Add(max(c.pace, overdue))
}

// trip notes a failure of who's head for which the breaker is to open, or to stay open; count was that of the openings when
// the attempt began. That of another head than the probe has begun before it was opened, and says nothing new; nor does one
// that has begun before an opening which is over:
//
//  1. B's call hangs, at 0 s. A's fails at 1 s: the breaker opens.
//  2. The probe succeeds at 5 s: it closes.
//  3. B's call ends in its timeout at 30 s. What it called has been there again for 25 s.
func (c *circuit) trip(who *Mailbox, now time.Time, pace time.Duration, count uint64) (opened bool) {
	switch {
	case !c.open && count != c.count:
		return false
	case !c.open:
		*c = circuit{open: true, count: c.count + 1, since: now, probe: who}
		opened = true
	case c.probe != who:
		return false
	}
	c.out, c.pace, c.until = false, pace, now.Add(pace)
	return opened
}

// admits says whether who's head may be delivered now.
func (c *circuit) admits(who *Mailbox, now time.Time) bool {
	switch {
	case !c.open:
		return true
	case c.out:
		return false
	case c.probe == who:
		return true
	}
	return !now.Before(c.anybodyAt())
}

// admit lets who's head through, if it may; probe says that its end will say whether the breaker closes.
func (c *circuit) admit(who *Mailbox, now time.Time) (ok, probe bool) {
	if !c.admits(who, now) {
		return false, false
	}
	if c.open {
		c.probe, c.out = who, true
	}
	return true, c.open
}

// succeed notes that the probe was handled with success.
func (c *circuit) succeed(who *Mailbox) (closed bool) {
	if !c.open || c.probe != who || !c.out {
		return false
	}
	c.open, c.probe, c.out = false, nil, false
	return true
}

// yield: who's head will not come, if it is the probe and not with its handler.
func (c *circuit) yield(who *Mailbox) (vacant bool) {
	if !c.open || c.probe != who || c.out {
		return false
	}
	c.probe = nil
	return true
}

// abort: the probe was with its handler, and its end says nothing. The next one has to wait.
func (c *circuit) abort(who *Mailbox, now time.Time) (vacant bool) {
	if !c.open || c.probe != who || !c.out {
		return false
	}
	c.probe, c.out, c.until = nil, false, now.Add(c.pace)
	return true
}
