package messages

import (
	"fmt"
	"time"
)

// Claim is one ownership of one partition, from its assignment to its end.
type Claim struct {
	Group      string `json:"group"`
	Member     string `json:"member"`
	Topic      string `json:"topic"`
	Partition  int32  `json:"partition"`
	Generation int32  `json:"generation"` // of the assignment; no fencing token, it can start anew
	Sequence   uint64 `json:"sequence"`   // unique in the process
}

// String gives topic, partition and sequence, for example orders/3#17.
func (c Claim) String() string { return fmt.Sprintf("%s/%d#%d", c.Topic, c.Partition, c.Sequence) }

// Assigned comes to every incarnation of a partition actor after Started and before its first record, again if the
// actor fails at it. Other messages may come before it: it waits until the claim's start is known, for as long as the
// store or the group's coordinator is away, and after a failure in it for as long as the policy says. The actor is not
// cut off meanwhile from its children, its timers, and those who ask it.
type Assigned struct {
	Claim Claim
	// Incarnation counts from 1; a restart makes the next one.
	Incarnation int
	// Next is the offset from which records will come: none below it is delivered.
	Next int64
}

// Revoked tells a partition actor that its partition goes to another member, or that the consumer stops. No
// new records come. It is still the owner until Deadline: finish what was kept, flush.
type Revoked struct {
	Claim    Claim
	Reason   Reason
	Deadline time.Time
}

// Lost tells a partition actor that it no longer owns its partition: somebody else may. Write nothing.
type Lost struct {
	Claim Claim
	Err   error
}

// Reason says why a claim was revoked.
type Reason uint8

const (
	// ReasonRebalance: the group gave the partition to another member.
	ReasonRebalance Reason = iota + 1
	// ReasonShutdown: the consumer drains or stops.
	ReasonShutdown
)

var reasonNames = [...]string{"", "Rebalance", "Shutdown"}

// String is the reason's name.
func (r Reason) String() string { return enumName(reasonNames[:], int(r), "Reason") }

// MarshalText writes the name.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the name.
func (r *Reason) UnmarshalText(text []byte) error {
	return enumParse(reasonNames[:], text, "reason", r)
}
