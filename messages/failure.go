package messages

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Class says where a failure comes from. It has no zero value.
type Class uint8

const (
	// ClassHandler: a handler or actor answered with an error.
	ClassHandler Class = iota + 1
	// ClassPanic: it panicked or called runtime.Goexit; its state is suspect.
	ClassPanic
	// ClassDecode: the value could not be decoded.
	ClassDecode
	// ClassSeek: SeekTo was answered without an offset store.
	ClassSeek
	// ClassUnanswered: a partition actor neither completed nor kept its record.
	ClassUnanswered
	// ClassFenced: the offset store has a newer fence.
	ClassFenced
	// ClassStore: the offset store, or the read of the committed offset, failed.
	ClassStore
	// ClassSource: records cannot be fetched: offset out of range, not authorised, corrupt batch.
	ClassSource
	// ClassHook: a lifecycle message or hook failed; no record is concerned.
	ClassHook
	// ClassActorStopped: a partition actor stopped itself.
	ClassActorStopped
	// ClassDeadLetter: a dead letter could not be written. The record is kept.
	ClassDeadLetter
	// ClassTimeout: an attempt took longer than HandlerTimeout, and answered with an error afterwards, or was kept and not
	// completed.
	ClassTimeout
)

var classNames = [...]string{"", "Handler", "Panic", "Decode", "Seek", "Unanswered", "Fenced", "Store", "Source", "Hook", "ActorStopped", "DeadLetter", "Timeout"}

// String is the class's name, as it stands in logs and JSON.
func (c Class) String() string { return enumName(classNames[:], int(c), "Class") }

// MarshalText writes the name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the name.
func (c *Class) UnmarshalText(text []byte) error { return enumParse(classNames[:], text, "class", c) }

// Failure is what went wrong: one type for the policy, events, status and the error that Run returns.
type Failure struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Offset is -1 when the failure is no record's: a hook, a control message, the source, the store.
	Offset int64  `json:"offset"`
	Key    []byte `json:"-"`
	// Attempt is that of the delivery that failed; 0 is the first.
	Attempt     int       `json:"attempt"`
	Incarnation int       `json:"incarnation"`
	Class       Class     `json:"class"`
	Err         error     `json:"-"`
	First       time.Time `json:"first"` // when the record first failed in this claim
	Last        time.Time `json:"last"`
}

// Where gives the coordinates, for example orders/3@1042, or orders/3 when no record is concerned.
func (f *Failure) Where() string {
	if f.Offset < 0 {
		return fmt.Sprintf("%s/%d", f.Topic, f.Partition)
	}
	return fmt.Sprintf("%s/%d@%d", f.Topic, f.Partition, f.Offset)
}

// String gives coordinates, attempt, class and error, and never the key.
func (f Failure) String() string {
	return fmt.Sprintf("%s attempt %d (%s): %v", f.Where(), f.Attempt, f.Class, f.Err)
}

// Format keeps the key out of every fmt verb: protoactor prints messages with %v when it logs them, and events
// are messages.
func (f Failure) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(f.String())) }

// LogValue is String, for slog.
func (f Failure) LogValue() slog.Value { return slog.StringValue(f.String()) }

// ClassOf tells the class of a handler's error.
func ClassOf(err error) Class {
	var (
		panicked *PanicError
		decode   *DecodeError
		seek     *SeekError
	)
	switch {
	case errors.As(err, &panicked):
		return ClassPanic
	case errors.Is(err, ErrUnanswered):
		return ClassUnanswered
	case errors.As(err, &decode):
		return ClassDecode
	case errors.As(err, &seek):
		return ClassSeek
	case errors.Is(err, ErrFenced):
		return ClassFenced
	case errors.Is(err, ErrTimeout):
		return ClassTimeout
	default:
		return ClassHandler
	}
}

// Action is what is done about a failure. It has no zero value.
type Action uint8

const (
	// ActionRetry delivers the same record again to the same incarnation.
	ActionRetry Action = iota + 1
	// ActionRestart delivers it again to a fresh incarnation.
	ActionRestart
	// ActionSkip gives the record up: logged, committed, gone.
	ActionSkip
	// ActionDeadLetter gives the record up once it is written to another place: written, then committed, gone.
	ActionDeadLetter
	// ActionPark keeps the record and holds the partition until somebody acts.
	ActionPark
	// ActionEscalate drains the consumer and then fails it.
	ActionEscalate
	// ActionBreak holds all partitions of the consumer, and delivers the same record again as their probe.
	ActionBreak
)

var actionNames = [...]string{"", "Retry", "Restart", "Skip", "DeadLetter", "Park", "Escalate", "Break"}

// String is the action's name, as it stands in logs and JSON.
func (a Action) String() string { return enumName(actionNames[:], int(a), "Action") }

// MarshalText writes the name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the name.
func (a *Action) UnmarshalText(text []byte) error {
	return enumParse(actionNames[:], text, "action", a)
}

// Decision is what was decided about a failure.
type Decision struct {
	Action Action        `json:"action"`
	Delay  time.Duration `json:"delay,omitempty"`  // before the next delivery; Retry, Restart and Break only
	Reason string        `json:"reason,omitempty"` // Park only
	Target string        `json:"target,omitempty"` // DeadLetter only: where to
	Rule   string        `json:"rule,omitempty"`   // the name of the rule that matched
	Step   int           `json:"step"`             // which of the rule's steps, from 0
	Left   int           `json:"left"`             // how many more applications the step has; -1: no limit
}

// EscalatedError is what Run returns, and what a parent actor's strategy sees, after a failure was escalated
// and the consumer has drained and left its group.
type EscalatedError struct{ Failure Failure }

// Error names topic, partition, offset, attempt and cause.
func (e *EscalatedError) Error() string {
	return "ottla: escalated: " + e.Failure.String()
}

// Unwrap returns the cause.
func (e *EscalatedError) Unwrap() error { return e.Failure.Err }

// DrainError is what Run returns when the consumer has stopped, but not everything was finished: handlers did not return
// in time and were left behind, or last offsets could not be committed. The next owners will handle these records again.
type DrainError struct {
	Blocked     []string // topic/partition@offset of each handler
	Uncommitted []string // topic/partition of each whose finished records may be handled again
	Err         error    // why they were not committed
}

// Error names them.
func (e *DrainError) Error() string {
	var texts []string
	if len(e.Blocked) > 0 {
		texts = append(texts, fmt.Sprintf("%d handlers did not return in time: %s", len(e.Blocked), strings.Join(e.Blocked, ", ")))
	}
	if len(e.Uncommitted) > 0 {
		texts = append(texts, fmt.Sprintf("the last offsets of %d partitions may not have been committed: %s: %v",
			len(e.Uncommitted), strings.Join(e.Uncommitted, ", "), e.Err))
	}
	return "ottla: stopped, but " + strings.Join(texts, "; ")
}

// Unwrap returns why offsets were not committed.
func (e *DrainError) Unwrap() error { return e.Err }

// LeaveError is what Run returns when everything was finished, but the group did not answer the leave in time or
// refused it. The members that stay may wait for the session timeout before they take the partitions over.
type LeaveError struct{ Err error }

// Error says what the leave came to.
func (e *LeaveError) Error() string {
	return fmt.Sprintf("ottla: the group was not left in order: %v", e.Err)
}

// Unwrap returns that.
func (e *LeaveError) Unwrap() error { return e.Err }

// ErrKilled is what Run returns after a kill: nothing was waited for, nothing committed, and the group was not left.
var ErrKilled = errors.New("ottla: the consumer was killed")
