package messages

import "time"

// Event is something that happened: *Failed, *Skipped, *DeadLettered, *Parked, *Unparked, *CommitFailed, *ClaimAssigned,
// *ClaimRevoked, *ClaimLost, *Abandoned, *Moved, *Shed, *Missed.
type Event interface{ event() }

type (
	// Failed: a delivery, a hook, the store or the source failed, and this was decided.
	Failed struct {
		Failure  Failure
		Decision Decision
	}
	// Skipped: a record was given up.
	Skipped struct {
		Head Head
		By   string // the rule, or the operator
	}
	// DeadLettered: a record was written to another place, and is given up next. If its claim ends before that is
	// committed, the next owner handles the record again.
	DeadLettered struct {
		Head Head
		To   string
		By   string // the rule, or the operator
	}
	// Parked: a partition waits for somebody to act.
	Parked struct {
		Head   Head
		Reason string
	}
	// Unparked: it goes on.
	Unparked struct {
		Head Head
		By   string
	}
	// CommitFailed: an offset was not committed; it will be tried again while the claim is open.
	CommitFailed struct {
		Claim Claim
		Next  int64
		Err   error
		Final bool // the claim is closed, it is not tried again: finished records may be handled again, unless their partition was deleted
	}
	// ClaimAssigned: a partition is ours and its start is known.
	ClaimAssigned struct {
		Claim Claim
		Next  int64
	}
	// ClaimRevoked: a claim was given up in order.
	ClaimRevoked struct {
		Claim  Claim
		Reason Reason
		Took   time.Duration
	}
	// ClaimLost: a claim ended without a chance to finish.
	ClaimLost struct {
		Claim Claim
		Err   error
	}
	// Abandoned: a handler did not return in time and was left behind, fenced.
	Abandoned struct {
		Claim  Claim
		Offset int64
		Cause  error
	}
	// Moved: a claim's position was moved by an out-of-range choice or by SeekTo.
	Moved struct {
		Claim    Claim
		From, To int64
		Why      string
	}
	// Shed: a partition has been parked for long, and the records behind its head were dropped from memory. When it goes
	// on, they are fetched again from From.
	Shed struct {
		Claim   Claim
		From    int64
		Records int
		Bytes   int64
	}
	// Missed: so many events before this one were dropped, because the listener's buffer was full.
	Missed struct{ Count int }
)

func (*Failed) event()        {}
func (*Skipped) event()       {}
func (*DeadLettered) event()  {}
func (*Parked) event()        {}
func (*Unparked) event()      {}
func (*CommitFailed) event()  {}
func (*ClaimAssigned) event() {}
func (*ClaimRevoked) event()  {}
func (*ClaimLost) event()     {}
func (*Abandoned) event()     {}
func (*Moved) event()         {}
func (*Shed) event()          {}
func (*Missed) event()        {}
