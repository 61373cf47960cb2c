package messages

import (
	"errors"
	"fmt"
	"log/slog"
)

// Answer is what came of a question about a record, asked with actors.Ask. It is a message to the partition actor that
// has asked, and comes while the record is open: [Record.Complete] counts. An Answer whose record is not open any more,
// because it was completed, delivered anew, revoked, or lost, is not delivered.
//
// So it is with an Answer that anybody else sends to a partition actor, a goroutine of yours for one.
type Answer struct {
	Record *Record
	// Value is what the other actor has replied, whatever that is: an error that it replies is a Value, too.
	Value any
	// Err is nil when there is a reply. It is ErrNoReply, or wraps it, when there is none.
	Err error
}

// Errors of an Answer.
var (
	// ErrNoReply: the actor that was asked has not replied in time. It may be slow, may have stopped or panicked with the
	// question in its hands, or it does not reply to such a question.
	ErrNoReply = errors.New("ottla: no reply")
	// ErrNoActor is an ErrNoReply that is known at once: there was no actor with that PID.
	ErrNoActor = fmt.Errorf("%w: there is no such actor", ErrNoReply)
)

// String names the record, and never tells the reply, which may be as confidential as the record.
func (a *Answer) String() string { return fmt.Sprintf("answer about %v", a.Record) }

// Format keeps the reply out of every fmt verb, as that of [Record] does with contents.
func (a *Answer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(a.String())) }

// LogValue is String, for slog.
func (a *Answer) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalText is String, for a handler of slog that encodes what holds an Answer.
func (a *Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
