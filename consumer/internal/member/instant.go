package member

import "time"

// instant is one reading of both clocks, each since some zero of its own. The monotonic clock stands still while
// the machine is suspended (Linux: CLOCK_MONOTONIC), and the wall clock can be set: neither alone tells how long
// the broker has waited for us. The zero value means "never" or "none".
type instant struct{ mono, wall time.Duration }

func (t instant) add(d time.Duration) instant { return instant{t.mono + d, t.wall + d} }

func (t instant) never() bool { return t == instant{} }

// until is how far ahead a deadline is, by the clock that went further; not above zero: it has come.
func (t instant) until(deadline instant) time.Duration {
	return min(deadline.mono-t.mono, deadline.wall-t.wall)
}

// reached says that the deadline has come, by the clock that went further.
func (t instant) reached(deadline instant) bool { return t.until(deadline) <= 0 }

// both is the deadline that has not come before a and b have. Never is before all others.
func both(a, b instant) instant { return instant{max(a.mono, b.mono), max(a.wall, b.wall)} }

// either is the deadline that has come as soon as a or b has.
func either(a, b instant) instant { return instant{min(a.mono, b.mono), min(a.wall, b.wall)} }

// after orders two readings of this process; only the monotonic clock can.
func (t instant) after(u instant) bool { return t.mono > u.mono }

// later is the one of two readings of this process that was taken after the other.
func later(a, b instant) instant {
	if a.after(b) {
		return a
	}
	return b
}

// clock reads instants.
type clock struct{ zero time.Time }

func newClock() clock { return clock{time.Now().Add(-1)} } // so that no reading is the zero instant

func (c clock) now() instant {
	t := time.Now()
	return instant{mono: t.Sub(c.zero), wall: t.Round(0).Sub(c.zero.Round(0))}
}
