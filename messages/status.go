package messages

import "time"

// State is a partition's state. It has no zero value.
type State uint8

const (
	// StateAwaitingSeek: the start is being looked up, or a seek is under way.
	StateAwaitingSeek State = iota + 1
	// StateIdle: owned, and nothing to do.
	StateIdle
	// StateBusy: a record is being handled, kept open, or waits for its commit, or for its turn under a limit of the rate.
	StateBusy
	// StateHolding: waits out a backoff, or for the consumer's breaker.
	StateHolding
	// StateParked: waits for somebody to act.
	StateParked
	// StatePaused: an operator has paused it, and nothing is in flight. One that is parked, too, is Parked.
	StatePaused
	// StateStopping: revoked, lost or draining.
	StateStopping
	// StateStuck: a handler, or an actor, has not returned for longer than StuckAfter; or a kept record was not completed
	// in that time.
	StateStuck
)

var stateNames = [...]string{"", "AwaitingSeek", "Idle", "Busy", "Holding", "Parked", "Paused", "Stopping", "Stuck"}

// String is the state's name, as it stands in logs and JSON.
func (s State) String() string { return enumName(stateNames[:], int(s), "State") }

// MarshalText writes the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *State) UnmarshalText(text []byte) error { return enumParse(stateNames[:], text, "state", s) }

// Status is a consumer's status, taken from snapshots.
type Status struct {
	Group      string            `json:"group"`
	Member     string            `json:"member"`
	Generation int32             `json:"generation"`
	Phase      string            `json:"phase"` // joining, member, draining, stopped
	Health     Health            `json:"health"`
	Partitions []PartitionStatus `json:"partitions"`
	Breaker    string            `json:"breaker,omitempty"` // since when it is open and for which record; empty: it is closed
	Pauses     []PauseStatus     `json:"pauses,omitempty"`  // that are in force, also for partitions that are not owned
	Counters   Counters          `json:"counters"`          // of the whole consumer, ended claims included
	Bytes      int64             `json:"bytes"`             // backlog of all partitions
	Time       time.Time         `json:"time"`
}

// Health is what probes ask. A holding, parked or stuck partition does not make a consumer unready.
type Health struct {
	Live    bool     `json:"live"`
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons,omitempty"` // why not ready, and which partitions wait for somebody
}

// PauseStatus is a pause that is in force: of one partition, or of a topic.
type PauseStatus struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`        // -1: all of the topic
	Except    []int32   `json:"except,omitempty"` // with all of the topic: those that were resumed
	By        string    `json:"by"`
	Since     time.Time `json:"since"`
}

// ReasonBreaker is the Reason of a partition that holds for nothing of its own.
const ReasonBreaker = "the consumer's breaker is open"

// PartitionStatus is one claim's status.
type PartitionStatus struct {
	Claim       Claim     `json:"claim"`
	State       State     `json:"state"`
	Head        int64     `json:"head"`    // offset of the first unfinished record, or the next expected; -1: not known yet
	Attempt     int       `json:"attempt"` // of the delivery under way or due
	Depth       int       `json:"depth"`   // records fetched and not finished
	Bytes       int64     `json:"bytes"`
	OpenSince   time.Time `json:"openSince,omitzero"` // when the delivery under way, or a message, was first seen so: by a status, or within StuckAfter
	NextRetry   time.Time `json:"nextRetry,omitzero"`
	Reason      string    `json:"reason,omitempty"`   // of a park; ReasonBreaker
	PausedBy    string    `json:"pausedBy,omitempty"` // who has paused it
	PausedSince time.Time `json:"pausedSince,omitzero"`
	Shed        int       `json:"shed,omitempty"`     // records behind the head that the park, or pause, has dropped from memory, to be fetched again
	ShedFrom    int64     `json:"shedFrom,omitempty"` // the first of them; 0: none
	Failure     *Failure  `json:"failure,omitempty"`
	Error       string    `json:"error,omitempty"` // the last failure's text
	Decision    *Decision `json:"decision,omitempty"`
	Incarnation int       `json:"incarnation"`
	Lag         int64     `json:"lag"`       // high-water mark less Head; never 0 behind a trailing control record; up to 10 s old while the partition is paused; -1: not known
	Committed   int64     `json:"committed"` // last acknowledged; -1: none in this claim
	CommittedAt time.Time `json:"committedAt,omitzero"`
	Counters    Counters  `json:"counters"`
}

// Counters only grow. Any metrics system can be fed from them.
type Counters struct {
	Handled       int64 `json:"handled"` // finished with success
	Failed        int64 `json:"failed"`
	Retried       int64 `json:"retried"`
	Restarted     int64 `json:"restarted"`
	Skipped       int64 `json:"skipped"`
	DeadLettered  int64 `json:"deadLettered"`
	Breaks        int64 `json:"breaks"`    // failures for which the breaker was to open
	Parked        int64 `json:"parked"`    // failures that parked their partition; an operator's park is none
	Escalated     int64 `json:"escalated"` // failures that ended the consumer
	Commits       int64 `json:"commits"`   // acknowledged
	CommitsFailed int64 `json:"commitsFailed"`
}

// Add adds d to c.
func (c *Counters) Add(d Counters) {
	c.Handled += d.Handled
	c.Failed += d.Failed
	c.Retried += d.Retried
	c.Restarted += d.Restarted
	c.Skipped += d.Skipped
	c.DeadLettered += d.DeadLettered
	c.Breaks += d.Breaks
	c.Parked += d.Parked
	c.Escalated += d.Escalated
	c.Commits += d.Commits
	c.CommitsFailed += d.CommitsFailed
}
