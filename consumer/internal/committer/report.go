package committer

import "time"

const (
	// failedEvery: a claim whose commits fail is told at once, and then this often, so that a coordinator that is
	// away is no storm of events.
	failedEvery = time.Second
	// committedEvery: acknowledgements come as often as every Interval, or every round trip; a status does not need
	// each of them.
	committedEvery = 50 * time.Millisecond
)

// report is when the supervisor was last told about a claim. It is pure.
type report struct {
	failedAt    time.Time
	committedAt time.Time
	untold      bool // an acknowledgement was held back
	next        int64
}

// failed says whether a failure is told now.
func (r *report) failed(now time.Time) bool {
	if !r.failedAt.IsZero() && now.Sub(r.failedAt) < failedEvery {
		return false
	}
	r.failedAt = now
	return true
}

// committed says whether the acknowledgement of next is told now; if not, r.untold stays until overdue is.
func (r *report) committed(next int64, now time.Time, must bool) bool {
	r.next = next
	if !must && !r.committedAt.IsZero() && now.Sub(r.committedAt) < committedEvery {
		r.untold = true
		return false
	}
	r.committedAt, r.untold = now, false
	return true
}

// overdue is when what is untold has to be told.
func (r *report) overdue() time.Time { return r.committedAt.Add(committedEvery) }
