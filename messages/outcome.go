package messages

import (
	"errors"
	"fmt"
	"time"
)

// Causes for which an attempt's context ends; also what [Record.Stale] answers.
var (
	// ErrRevoked: the group gave the partition to another member and the time to finish is over.
	ErrRevoked = errors.New("ottla: the partition was revoked")
	// ErrLost: the membership ended without a chance to finish. Somebody else may own the partition already.
	ErrLost = errors.New("ottla: the partition was lost")
	// ErrStopped: the consumer stops and does not wait for handlers any longer.
	ErrStopped = errors.New("ottla: the consumer was stopped")
	// ErrTimeout: the attempt took longer than the consumer's HandlerTimeout.
	ErrTimeout = errors.New("ottla: the attempt took too long")
	// ErrAnswered: the attempt was completed before, or a newer attempt has taken its place.
	ErrAnswered = errors.New("ottla: the attempt was answered or superseded")
)

// ErrUnanswered is the failure of a partition actor that returned from Receive and had neither completed nor
// kept the record. Silently done would lose it, silently open would hang.
var ErrUnanswered = errors.New("ottla: Receive returned without Record.Complete or Record.Keep")

// ErrFenced is the outcome of a handler whose store has a newer fence than the record: another owner has
// acquired the partition. The partition waits and acquires again if it is still ours.
var ErrFenced = errors.New("ottla: the offset store has a newer fence than this record")

// SeekError is the outcome made by [SeekTo].
type SeekError struct{ Offset int64 }

// Error names the offset.
func (e *SeekError) Error() string { return fmt.Sprintf("ottla: seek to offset %d", e.Offset) }

// SeekTo is the outcome "my store expects another offset": the backlog is thrown away and the partition goes
// on with the first record at or after offset. It needs an offset store; without one it is a failure of
// ClassSeek.
func SeekTo(offset int64) error { return &SeekError{Offset: offset} }

// RetryError is the failure made by [RetryAfter].
type RetryError struct {
	After time.Duration
	Err   error
}

// Error is the text of the wrapped failure, or says that a retry was asked for.
func (e *RetryError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("ottla: retry asked for after %v", e.After)
	}
	return e.Err.Error()
}

// Unwrap returns the failure itself.
func (e *RetryError) Unwrap() error { return e.Err }

// RetryAfter wraps a failure with a hint: where the policy retries or restarts, it waits d instead of its own
// backoff. The rule that matches is still chosen by err.
func RetryAfter(d time.Duration, err error) error { return &RetryError{After: d, Err: err} }

// PanicError is the failure of a handler, actor or hook that panicked, or that ended its goroutine by
// runtime.Goexit (Value is then [Goexit]).
type PanicError struct {
	Value any
	Stack []byte
}

// Goexit is the Value of a PanicError for a handler that called runtime.Goexit, as t.FailNow does.
const Goexit = goexit("runtime.Goexit was called")

type goexit string

// Error gives the panic's value, not the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value if it is an error, so that errors.Is sees panic(err).
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
