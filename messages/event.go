package messages

import "time"

// Event is something that happened: *Failed, *Skipped, *DeadLettered, *Parked, *Unparked, *Paused, *Resumed, *CommitFailed,
// *ClaimAssigned, *ClaimRevoked, *ClaimLost, *Abandoned, *Moved, *Shed, *Missed, *Stuck, *BreakerOpened, *BreakerClosed.
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
		By     string // the operator; empty: the policy, or the source
	}
	// Unparked: it goes on.
	Unparked struct {
		Head Head
		By   string // the operator; empty: it was in flight when it was parked, and has succeeded
	}
	// Paused: an operator has paused partitions, also such as are not owned at the moment.
	Paused struct {
		Topic      string
		Partitions []int32 // nil: all of the topic
		By         string
	}
	// Resumed: an operator has ended that.
	Resumed struct {
		Topic      string
		Partitions []int32 // nil: all of the topic
		By         string
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
	// Shed: a partition has been parked, or paused, for long, and the records behind its head were dropped from memory. When it goes
	// on, they are fetched again from From.
	Shed struct {
		Claim   Claim
		From    int64
		Records int
		Bytes   int64
	}
	// Missed: so many events before this one were dropped, because the listener's buffer was full.
	Missed struct{ Count int }
	// BreakerOpened: a record failed, and all partitions hold until it, or another one in its place, is handled.
	BreakerOpened struct {
		Head Head   // the record, which is the first probe
		Rule string // that decided so
	}
	// BreakerClosed: a probe was handled with success, and all partitions go on.
	BreakerClosed struct {
		Claim Claim // whose head it was
		Open  time.Duration
	}
	// Stuck: a handler has not returned for longer than StuckAfter, or a kept record was not completed. Nothing is done
	// about it. It is told again when the time has doubled.
	Stuck struct {
		Claim   Claim
		Offset  int64 // -1: not at a record, but in a hook, or at another message
		Attempt int
		Since   time.Time // when it was first seen to be at it: up to an eighth of StuckAfter after the beginning
		Kept    bool      // the actor has returned, and kept the record
		Stack   string    // of the handler's goroutine, innermost call first; empty: it was not found, or there is none
	}
)

func (*Failed) event()        {}
func (*Skipped) event()       {}
func (*DeadLettered) event()  {}
func (*Parked) event()        {}
func (*Unparked) event()      {}
func (*Paused) event()        {}
func (*Resumed) event()       {}
func (*CommitFailed) event()  {}
func (*ClaimAssigned) event() {}
func (*ClaimRevoked) event()  {}
func (*ClaimLost) event()     {}
func (*Abandoned) event()     {}
func (*Moved) event()         {}
func (*Shed) event()          {}
func (*Missed) event()        {}
func (*Stuck) event()         {}
func (*BreakerOpened) event() {}
func (*BreakerClosed) event() {}
