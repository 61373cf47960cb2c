package committer

import (
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// Keeper is a claim as the core knows it.
type Keeper interface {
	comparable
	Kept() *Notes
}

// Core is what the committer's loop decides, without clock, goroutine and I/O: which claims go into a request and when,
// and what an answer means for them. It is not safe for concurrent use. The steps of a request come in the order of Due,
// Take, Answered and Finish, and anything may happen to claims and identity between any two of them; the simulation of
// package member takes them as the loop does.
type Core[K Keeper] struct {
	pending *pending[K]
	worst   verdict // of those of the answer that is being sorted out that concern the group
	report  error
}

// NewCore makes a core; interval is the least time between two requests while nothing is urgent.
func NewCore[K Keeper](interval time.Duration) Core[K] {
	return Core[K]{pending: newPending[K](interval)}
}

// Collect looks at a claim that says it has something to send, or is closed.
func (c *Core[K]) Collect(k K) {
	dirty, urgent, hurried, closed := k.Kept().heard()
	switch {
	case closed:
		c.pending.drop(k)
		return
	case dirty:
		c.pending.note(k, urgent)
	}
	if hurried {
		c.pending.hurry(k)
	}
}

// Due are the claims for a request that is sent now as who, which was read before: step (1). It is valid until the next
// call.
func (c *Core[K]) Due(who conn.Identity, now time.Time) []K { return c.pending.due(who, now) }

// Take is step (2): what a claim that is due commits, unless it is closed or fenced by now.
func (c *Core[K]) Take(k K, now time.Time) (p actors.Progress, ok bool) {
	if p, ok = k.Kept().take(); !ok {
		c.pending.drop(k)
		return p, false
	}
	c.pending.sent(k, now)
	return p, true
}

// Answered is what came of one claim that was taken: nil, a code of the answer, or Unanswered. The claim's notes are
// still to be told.
func (c *Core[K]) Answered(k K, err error, now time.Time) { c.sort(k, judge(err), err, now) }

func (c *Core[K]) sort(k K, v verdict, err error, now time.Time) {
	if v.group && (!c.worst.failed || v.pace.first > c.worst.pace.first) {
		c.worst = v
	}
	if v.report {
		c.report = err
	}
	c.pending.answered(k, v, now)
}

// Drop forgets a claim that was closed.
func (c *Core[K]) Drop(k K) { c.pending.drop(k) }

// Finish ends a request that was sent as who. report is what the member should know of the answer; nil: nothing.
func (c *Core[K]) Finish(who conn.Identity, now time.Time) (report error) {
	c.pending.finish(c.worst, who, now)
	report = c.report
	c.worst, c.report = verdict{}, nil
	return report
}

// Wake is the earliest time at which Due answers something if nothing else happens; false: never.
func (c *Core[K]) Wake(who conn.Identity, now time.Time) (at time.Time, ok bool) {
	return c.pending.wake(who, now)
}
