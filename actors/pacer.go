package actors

import (
	"math"
	"time"
)

// Rate limits how many records of a partition are handed out. The zero value is no limit.
type Rate struct {
	PerSecond float64
	Burst     int // how many may go at once after a rest; below 1: 1
}

// pacer keeps a Rate. It is a bucket of Burst tokens into which one falls every 1/PerSecond, written as the time at which
// it would be full: one number in the place of two, and whole nanoseconds in the place of fractions of a token. It knows no
// clock. Its zero value never waits.
type pacer struct {
	interval time.Duration // between two tokens; 0: no limit
	slack    time.Duration // in which a full bucket empties
	full     time.Time
}

func newPacer(r Rate) pacer {
	if !(r.PerSecond > 0) {
		return pacer{}
	}
	p := pacer{interval: time.Duration(min(max(math.Round(float64(time.Second)/r.PerSecond), 1), float64(longest))), slack: longest}
	if n := int64(max(1, r.Burst) - 1); n <= int64(longest/p.interval) {
		p.slack = time.Duration(n * int64(p.interval))
	}
	return p
}

// longest keeps sums of times below what a Duration can hold.
const longest = time.Duration(math.MaxInt64 / 4)

// wait is how long the next record has to wait; 0: it may go.
func (p *pacer) wait(now time.Time) time.Duration {
	if d := p.full.Sub(now); d > p.slack {
		return d - p.slack
	}
	return 0
}

// take lets a record go.
func (p *pacer) take(now time.Time) {
	if p.interval == 0 {
		return
	}
	if p.full.Before(now) {
		p.full = now
	}
	p.full = p.full.Add(p.interval)
}

// paced says whether the record that is due has to wait for its turn, and has the mailbox run again then. Nothing but
// records waits, and no goroutine does. It needs the lock.
func (m *Mailbox) paced(now time.Time) bool {
	d := m.pacer.wait(now)
	if d > 0 && m.pacing == nil {
		m.pacing = time.AfterFunc(d, func() {
			m.mu.Lock()
			m.pacing = nil
			m.kick()
		})
	}
	return d > 0
}

// unpace is for a mailbox that gives no more records out.
func (m *Mailbox) unpace() {
	if m.pacing != nil {
		m.pacing.Stop()
	}
}
