package messages

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// book is a Completer that writes down what it is told.
type book struct {
	mu       sync.Mutex
	outcomes []error
	kept     int
	stale    error
}

func (b *book) Complete(_ *Record, outcome error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stale != nil {
		return b.stale
	}
	b.outcomes = append(b.outcomes, outcome)
	b.stale = ErrAnswered
	return nil
}

func (b *book) Keep(*Record) { b.kept++ }

func (b *book) Stale(*Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stale
}

func TestALiteralWorksInAUnitTest(t *testing.T) {
	r := &Record{Topic: "orders"}
	r.Keep()
	if r.Complete(nil) {
		t.Error("a record that nobody delivered was completed")
	}
	if !errors.Is(r.Stale(), ErrAnswered) {
		t.Errorf("stale: %v", r.Stale())
	}
	if r.Context() != context.Background() {
		t.Error("its context is not the background")
	}
	if _, ok := FromContext(r.Context()); ok {
		t.Error("the background holds a record")
	}
}

func TestCompleteCountsOnce(t *testing.T) {
	b, r := &book{}, &Record{}
	NewDelivery(t.Context(), b).Bind(r)
	r.Keep()
	if err := r.Stale(); err != nil {
		t.Errorf("stale before it was answered: %v", err)
	}
	outcome := errors.New("outcome")
	var (
		wg      sync.WaitGroup
		counted sync.Map
	)
	for i := range 10 {
		wg.Go(func() {
			if r.Complete(outcome) {
				counted.Store(i, true)
			}
		})
	}
	wg.Wait()
	n := 0
	counted.Range(func(any, any) bool { n++; return true })
	if n != 1 || len(b.outcomes) != 1 || !errors.Is(b.outcomes[0], outcome) || b.kept != 1 {
		t.Errorf("%d of ten counted, told %v, kept %d", n, b.outcomes, b.kept)
	}
	if !errors.Is(r.Stale(), ErrAnswered) {
		t.Errorf("stale: %v", r.Stale())
	}
}

type key struct{}

func TestTheContextCarriesRecordValuesDeadlineAndCause(t *testing.T) {
	parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
	r := &Record{}
	NewDelivery(parent, &book{}).Bind(r)
	ctx, stop := context.WithTimeout(r.Context(), time.Hour) // as a handler derives one
	defer stop()
	if got, ok := FromContext(ctx); !ok || got != r {
		t.Errorf("the record: %v %v", got, ok)
	}
	if ctx.Value(key{}) != "value" {
		t.Error("the parent's values are gone")
	}
	if _, ok := r.Context().Deadline(); ok {
		t.Error("a deadline from nowhere")
	}
	if r.Complete(nil); ctx.Err() != nil {
		t.Error("completing ended the context")
	}
	cancel(ErrRevoked)
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), ErrRevoked) || !errors.Is(context.Cause(r.Context()), ErrRevoked) {
		t.Errorf("cause: %v", context.Cause(ctx))
	}
}

func TestACopyIsDetached(t *testing.T) {
	b, r := &book{}, &Record{}
	ctx, cancel := context.WithCancel(t.Context())
	NewDelivery(ctx, b).Bind(r)
	copies := map[string]*Record{"clone": r.Clone(), "next attempt": r.Redeliver()}
	cancel()
	for name, c := range copies {
		if c.Complete(nil) || len(b.outcomes) != 0 {
			t.Errorf("%s: completed in the place of its origin", name)
		}
		if c.Context().Err() != nil {
			t.Errorf("%s: its context ended", name)
		}
	}
}

func TestTheContextOfARecordIsFree(t *testing.T) {
	r := &Record{}
	NewDelivery(t.Context(), &book{}).Bind(r)
	allocations := testing.AllocsPerRun(100, func() {
		ctx := r.Context()
		if got, ok := FromContext(ctx); !ok || got != r {
			t.Error("not the record")
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
