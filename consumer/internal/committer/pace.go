package committer

import (
	"time"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// pace is how long to wait after a failure: first, then the double of it, up to most.
type pace struct{ first, most time.Duration }

var (
	// atOnce is for a request that will be another one.
	atOnce = pace{}
	// settling is for a rebalance, which refuses commits from each join to its sync: some milliseconds, mostly.
	settling = pace{20 * time.Millisecond, time.Second}
	// quick is for what passes by itself within seconds: a coordinator that moves.
	quick = pace{100 * time.Millisecond, time.Second}
	// slow is for what waits until somebody acts.
	slow = pace{time.Second, 30 * time.Second}
)

// after is the wait after the given number of failures in a row, from 1.
func (p pace) after(failures int) time.Duration {
	d := p.first
	for ; failures > 1 && d < p.most; failures-- {
		d *= 2
	}
	return min(d, p.most)
}

// hold keeps requests back after a failure that concerns all of them: until its time is over, or until the
// identity is another one than that of the failed request, which also says that the coordinator has moved.
// The zero value holds nothing.
type hold struct {
	who      conn.Identity
	until    time.Time
	failures int // in a row
}

// fail begins with the first pause again under every identity. In a group that rebalances again and again, each new
// generation ends the hold in the one moment in which it refuses commits, between its join and its sync; with a pause
// of a second, grown in the generations before, the next join would come before the second try, and so on: nothing
// would be committed for as long as members come and go.
func (h *hold) fail(p pace, who conn.Identity, now time.Time) {
	if h.who != who {
		h.failures = 0
	}
	h.failures++
	h.who, h.until = who, now.Add(p.after(h.failures))
}

func (h *hold) clear() { *h = hold{} }

func (h *hold) active(who conn.Identity, now time.Time) bool {
	return h.failures > 0 && who == h.who && now.Before(h.until)
}
