package committer

import "time"

const (
	// failedEvery and failedMost: a claim whose commits fail is told at once, after this long, and then at twice the
	// time before, up to the most, until a commit succeeds: a coordinator that is away is no storm of events, also
	// where a member has a thousand claims.
	failedEvery = time.Second
	failedMost  = time.Minute
	// committedEvery: acknowledgements come as often as every Interval, or every round trip; a status does not need
	// each of them.
	committedEvery = 50 * time.Millisecond
)

// report is when the supervisor was last told about a claim. It is pure.
type report struct {
	failedAt    time.Time
	failedPause time.Duration // until a failure is told again
	committedAt time.Time
	untold      bool // an acknowledgement was held back
	next        int64
}

// failed says whether a failure is told now.
func (r *report) failed(now time.Time) bool {
	if !r.failedAt.IsZero() && now.Sub(r.failedAt) < r.failedPause {
		return false
	}
	r.failedAt, r.failedPause = now, min(max(failedEvery, 2*r.failedPause), failedMost)
	return true
}

// committed says whether the acknowledgement of next is told now; if not, r.untold stays until overdue is.
func (r *report) committed(next int64, now time.Time, must bool) bool {
	r.next = next
	r.failedPause = min(r.failedPause, failedEvery) // commits that fail and succeed in turn are told once a second
	if !must && !r.committedAt.IsZero() && now.Sub(r.committedAt) < committedEvery {
		r.untold = true
		return false
	}
	r.committedAt, r.untold = now, false
	return true
}

// overdue is when what is untold has to be told.
func (r *report) overdue() time.Time { return r.committedAt.Add(committedEvery) }
