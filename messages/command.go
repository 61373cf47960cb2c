package messages

import "time"

// Head names the record that an operator's command was meant for. The command is refused when the
// partition's head is another one by now.
type Head struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Command is what an operator can ask of a consumer: *RetryHead, *SkipHead, *DeadLetterHead, *ParkHead, *Pause, *Resume. Each
// is answered with a *Result.
type Command interface{ command() Head }

// RetryHead ends a hold or a park now: the head is delivered again ("un-park").
type RetryHead struct {
	Head
	By string // who asked; goes to the log
}

// SkipHead gives the head up: logged, committed, gone.
type SkipHead struct {
	Head
	By string
}

// DeadLetterHead gives the head up once it is written to another place, by the consumer's writer of dead letters: of the
// default one To is a topic.
type DeadLetterHead struct {
	Head
	To string
	By string
}

// ParkHead keeps the head from its handler until RetryHead, SkipHead or DeadLetterHead. What is in flight finishes first: if it
// succeeds, there is nothing left to park. A record that has not come yet waits as soon as it does. The park travels to the
// next owner with the committed offset; with an offset store, whose position is all that the next owner reads, it does not.
type ParkHead struct {
	Head
	Reason string // for people; it is in the status, and travels
	By     string
}

// Pause stops the delivery of a topic's partitions until Resume: the record in flight finishes and is committed, what is
// fetched stays within its bounds, messages arrive, and revocations do. It is this consumer's alone, not its group's, and ends
// with it; of a partition that goes and comes back, or comes for the first time, nothing is delivered either. What is
// paused already keeps the name of who did that.
type Pause struct {
	Topic      string
	Partitions []int32 // nil: all of the topic, also those that come later
	By         string
}

// Resume ends a Pause, of single partitions or of all. What is parked or holds stays so.
type Resume struct {
	Topic      string
	Partitions []int32 // nil: all of the topic
	By         string
}

func (c *RetryHead) command() Head      { return c.Head }
func (c *SkipHead) command() Head       { return c.Head }
func (c *DeadLetterHead) command() Head { return c.Head }
func (c *ParkHead) command() Head       { return c.Head }
func (c *Pause) command() Head          { return Head{c.Topic, -1, -1} }
func (c *Resume) command() Head         { return Head{c.Topic, -1, -1} }

// Target is the head that a command was meant for. Pause and Resume mean none: the partition and the offset are -1.
func Target(c Command) Head { return c.command() }

// Result answers a Command.
type Result struct {
	Head  Head  // the partition's head when the command was carried out or refused; Offset -1: it has none
	State State // the partition's state afterwards; none for Pause and Resume
	// Partitions are those that a Pause or a Resume is about and that this consumer owns, in order. Others follow it when
	// they come.
	Partitions []PartitionResult
	Err        error // nil: done
}

// PartitionResult is what a Pause or a Resume has done to one partition.
type PartitionResult struct {
	Partition int32
	Head      int64 // -1: it has none yet
	State     State // afterwards; Busy after a Pause: the record in flight finishes
	Changed   bool  // false: it was paused before, or was not
}

// Stop asks a consumer's supervisor to end handlers' contexts at once, commit what is finished, leave and stop.
type Stop struct{}

// Kill asks it to stop as a crash would: nothing is committed, the group is not left.
type Kill struct{}

// Drain asks a consumer's supervisor to finish what is in flight, commit, leave the group and stop.
type Drain struct {
	// Timeout bounds it; 0 means the consumer's DrainTimeout.
	Timeout time.Duration
}

// GetStatus is answered with a *Status, from snapshots: also while handlers do not return.
type GetStatus struct{}

// Subscribe asks for events: they are sent to the sender as messages until it stops.
type Subscribe struct{}

// Forward hands Message to the partition's actor, with the sender kept. It is answered with *NotHere when the
// partition is not owned by this consumer.
type Forward struct {
	Topic     string
	Partition int32
	Message   any
}

// NotHere answers a Forward to a partition that this consumer does not own.
type NotHere struct {
	Topic     string
	Partition int32
}
