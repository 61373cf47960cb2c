package messages

import (
	"context"
	"time"
)

// Completer is whoever delivered a record: a partition actor's mailbox, or a test. Both methods are called
// from any goroutine.
type Completer interface {
	// Complete takes the attempt's outcome. A non-nil answer says why it does not count.
	Complete(r *Record, outcome error) error
	// Keep notes that returning does not finish the record.
	Keep(r *Record)
	// Stale answers nil while Complete would count, else why it would not.
	Stale(r *Record) error
}

// Delivery is what the attempts have in common that one incarnation of a partition actor gets: whose outcome they
// are told, and the context theirs derive from. With a HandlerTimeout each attempt has one of its own. It is safe for
// concurrent use.
type Delivery struct {
	ctx       context.Context //nolint:containedctx // the record is what travels; its context ends with the attempt
	completer Completer
}

// NewDelivery makes the Delivery of one incarnation, or of one attempt. It is for those who deliver records.
func NewDelivery(ctx context.Context, c Completer) *Delivery { return &Delivery{ctx, c} }

// Bind makes r an attempt of this delivery. Call it before anybody else sees r.
func (d *Delivery) Bind(r *Record) { r.attempt = attempt{d, r} }

// Complete says what came of the attempt. It means exactly what returning the error from a handler means:
// nil finishes the record, [SeekTo] moves the partition, anything else is a failure for the policy.
//
// Only the first answer counts, from any goroutine. False means that this one does not; [Record.Stale] says
// why. A record that nobody delivered (a literal in a unit test) answers false.
func (r *Record) Complete(outcome error) bool {
	return r.attempt.delivery != nil && r.attempt.delivery.completer.Complete(r, outcome) == nil
}

// Keep says that returning from the handler, or from Receive, does not finish this record: a later Complete
// will. Until then the next record of the partition waits. Call it before you return.
func (r *Record) Keep() {
	if r.attempt.delivery != nil {
		r.attempt.delivery.completer.Keep(r)
	}
}

// Stale is nil while Complete would count. Afterwards it is the cause: ErrRevoked, ErrLost, ErrStopped, ErrTimeout, or
// ErrAnswered when the attempt has been answered or a newer one has taken its place.
func (r *Record) Stale() error {
	if r.attempt.delivery == nil {
		return ErrAnswered
	}
	return r.attempt.delivery.completer.Stale(r)
}

// Context ends when the attempt is unwanted, with the cause that [context.Cause] tells: ErrRevoked, ErrLost,
// ErrStopped, ErrTimeout, or ErrAnswered when its incarnation was replaced. Completing the record does not end it, unless
// the consumer has a HandlerTimeout: then each attempt has a context of its own, with that deadline, which ends with
// ErrAnswered when the record has been completed and its handler, or Receive, has returned.
// Context never allocates. Outside of a delivery it is context.Background().
func (r *Record) Context() context.Context {
	if r.attempt.delivery == nil {
		return context.Background()
	}
	return &r.attempt
}

// attempt is the context of a record, embedded by value so that it costs no allocation.
type attempt struct {
	delivery *Delivery // nil: nobody delivered the record
	record   *Record
}

type recordKey struct{}

// Deadline is the delivery's: the incarnation's, or with a HandlerTimeout the attempt's own. So are Done and Err.
func (a *attempt) Deadline() (time.Time, bool) { return a.delivery.ctx.Deadline() }

// Done see Deadline.
func (a *attempt) Done() <-chan struct{} { return a.delivery.ctx.Done() }

// Err see Deadline.
func (a *attempt) Err() error { return a.delivery.ctx.Err() }

// Value answers the record itself for FromContext, and the delivery's values for all else.
func (a *attempt) Value(key any) any {
	if _, ok := key.(recordKey); ok {
		return a.record
	}
	return a.delivery.ctx.Value(key)
}

// String keeps contents out of a log that prints the context.
func (a *attempt) String() string { return "the context of " + a.record.String() }

// FromContext returns the record whose handler runs under ctx.
func FromContext(ctx context.Context) (*Record, bool) {
	r, ok := ctx.Value(recordKey{}).(*Record)
	return r, ok
}
