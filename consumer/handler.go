package consumer

import (
	"context"
	"errors"

	"github.com/ottla-go/ottla/messages"
)

// Record is one attempt at one Kafka record.
type Record = messages.Record

// Handler handles one record. It is called for many partitions at once, and for the records of one partition one
// after the other, in order.
//
// nil finishes the record. Any other error is a failure for the policy, but for [messages.SeekTo] with an offset
// store. A panic and runtime.Goexit are failures too. ctx ends when the answer is not wanted any more, with the
// cause that context.Cause tells: messages.ErrRevoked, ErrLost or ErrStopped; an error that is returned after
// that is no failure. With a HandlerTimeout it also ends with ErrTimeout; an error after that is one of messages.ClassTimeout. A clean shutdown does not end it: it waits for the handler.
type Handler func(ctx context.Context, rec *Record) error

// JSON decodes each value as JSON before it is handled. A value that cannot be decoded is a failure of
// messages.ClassDecode. A tombstone decodes only where T is struct{} or a pointer (nil).
func JSON[T any](handle func(ctx context.Context, rec *Record, v T) error) Handler {
	return Typed(messages.DecodeJSON[T], handle)
}

// Envelope decodes each value inside the envelope {"metaData":{"requestId":"…"},"value":…}, else as JSON does.
// The request id is that of [Record.RequestID].
func Envelope[T any](handle func(ctx context.Context, rec *Record, v T) error) Handler {
	return Typed(messages.DecodeEnvelope[T], handle)
}

// Typed decodes each record with a decoder of your own before it is handled. An error of the decoder becomes a
// *messages.DecodeError, if it is none yet, and so a failure of messages.ClassDecode, in whose text its own does not
// stand: it may quote the record. The decoder may read key and headers too; it is called for many partitions at once.
func Typed[T any](decode func(*Record) (T, error), handle func(ctx context.Context, rec *Record, v T) error) Handler {
	if decode == nil || handle == nil {
		return nil // Validate then says that there is no handler, at start-up and not at the first record
	}
	return func(ctx context.Context, rec *Record) error {
		v, err := decode(rec)
		if err != nil {
			var known *messages.DecodeError
			if !errors.As(err, &known) || !errors.Is(known, err) { // the text of what wraps one may show contents
				err = &messages.DecodeError{Err: err}
			}
			return err
		}
		return handle(ctx, rec, v)
	}
}

// Hooks tell a [Handler] of its partitions' life. Each is optional. They are called for many partitions at once,
// and for one partition never beside its handler.
type Hooks struct {
	// Assigned is called once a claim's start is known, before its first record. It is not called again when the
	// partition's actor restarts. An error or a panic goes through the policy and costs no record an attempt.
	Assigned func(ctx context.Context, claim messages.Claim) error
	// Revoked is called after the last record of a claim that ends in order: the partition is still ours until
	// the deadline in it. A panic in it is reported and costs nothing.
	Revoked func(messages.Revoked)
	// Lost is called after the last record of a claim that was lost: somebody else may own the partition already, so
	// write nothing. A panic in it is reported and costs nothing.
	Lost func(messages.Lost)
}

func (h Hooks) any() bool { return h.Assigned != nil || h.Revoked != nil || h.Lost != nil }
