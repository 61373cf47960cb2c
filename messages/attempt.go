package messages

import "context"

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

// Bind makes r an attempt delivered by c, whose Context derives from ctx. It is for those who deliver
// records; call it before anybody else sees r.
func Bind(ctx context.Context, r *Record, c Completer) {
	r.ctx = recordContext{Context: ctx, record: r}
	r.completer = c
}

// Complete says what came of the attempt. It means exactly what returning the error from a handler means:
// nil finishes the record, [SeekTo] moves the partition, anything else is a failure for the policy.
//
// Only the first answer counts, from any goroutine. False means that this one does not; [Record.Stale] says
// why. A record that nobody delivered (a literal in a unit test) answers false.
func (r *Record) Complete(outcome error) bool {
	return r.completer != nil && r.completer.Complete(r, outcome) == nil
}

// Keep says that returning from the handler, or from Receive, does not finish this record: a later Complete
// will. Until then the next record of the partition waits. Call it before you return.
func (r *Record) Keep() {
	if r.completer != nil {
		r.completer.Keep(r)
	}
}

// Stale is nil while Complete would count. Afterwards it is the cause: ErrRevoked, ErrLost, ErrStopped, or
// ErrAnswered when the attempt has been answered or a newer one has taken its place.
func (r *Record) Stale() error {
	if r.completer == nil {
		return ErrAnswered
	}
	return r.completer.Stale(r)
}

// Context ends when the attempt is unwanted, with the cause that [context.Cause] tells: ErrRevoked, ErrLost,
// ErrStopped, or ErrAnswered when its incarnation was replaced. Completing the record does not end it.
// It never allocates. Outside of a delivery it is context.Background().
func (r *Record) Context() context.Context {
	if r.ctx.Context == nil {
		return context.Background()
	}
	return &r.ctx
}

// recordContext is embedded by value, so that a context per record costs no allocation.
type recordContext struct {
	context.Context //nolint:containedctx // the record is what travels; its context ends with the attempt
	record          *Record
}

type recordKey struct{}

// Value answers the record itself for FromContext, and the parent's values for all else.
func (c *recordContext) Value(key any) any {
	if _, ok := key.(recordKey); ok {
		return c.record
	}
	return c.Context.Value(key)
}

// FromContext returns the record whose handler runs under ctx.
func FromContext(ctx context.Context) (*Record, bool) {
	r, ok := ctx.Value(recordKey{}).(*Record)
	return r, ok
}
