package consumertest_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

func keptIn(store *consumertest.Store, d supervisor.Directive) consumer.Config {
	return consumer.Config{
		Handler: func(_ context.Context, r *consumer.Record) error { return store.Save(r) },
		Offsets: consumer.Offsets{Store: store, Start: consumer.Earliest},
		Policy:  supervisor.Policy{supervisor.On(supervisor.Any(), d)},
	}
}

func TestFailStoreAtTheStart(t *testing.T) {
	store := &consumertest.Store{}
	consumertest.Run(t, keptIn(store, supervisor.Retry(supervisor.Every(time.Second))), func(t *testing.T, k *consumertest.Kit) {
		k.FailStore(2, errDown)
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Advance(time.Hour)
		if f := p.Failures(); len(f) != 2 || f[0].Failure.Class != messages.ClassStore {
			t.Errorf("failures %v", f)
		}
		if store.Acquired() != 1 || store.Next("orders", 0) != 1 {
			t.Errorf("acquired %d times, %v", store.Acquired(), store)
		}
	})
}

func TestFailStoreAtASkip(t *testing.T) {
	store := &consumertest.Store{}
	consumertest.Run(t, keptIn(store, supervisor.Skip()), func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		store.FailSaves(3, errDown)
		k.FailStore(1, errDown)
		p.Append("a", "b")
		k.Advance(time.Hour)
		var classes []messages.Class
		for _, f := range p.Failures() {
			classes = append(classes, f.Failure.Class)
		}
		// The skip of the first record fails at the store and is tried again; the second one has the last failure to save.
		want := []messages.Class{messages.ClassStore, messages.ClassHandler, messages.ClassHandler}
		if !slices.Equal(classes, want) || store.Next("orders", 0) != 2 {
			t.Errorf("failures %v, want %v; %v", classes, want, store)
		}
	})
}

// What a store refuses is tried again, and nothing is lost.
func TestFailSaves(t *testing.T) {
	store := &consumertest.Store{}
	consumertest.Run(t, keptIn(store, supervisor.Retry(supervisor.Every(time.Second))), func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		store.FailSaves(2, errDown)
		p.Append("a", "b")
		k.Advance(2 * time.Second)
		if got := p.Offsets(); !slices.Equal(got, []int64{0, 0, 0, 1}) || store.Next("orders", 0) != 2 {
			t.Errorf("delivered %v, %v", got, store)
		}
	})
}

// rudeStore panics, or ends its goroutine, the first time.
type rudeStore struct {
	consumertest.Store
	calls int
	rude  func()
}

// Acquire implements consumer.OffsetStore.
func (s *rudeStore) Acquire(ctx context.Context, c messages.Claim) (consumertest.Position, error) {
	if s.calls++; s.calls == 1 {
		s.rude()
	}
	return s.Store.Acquire(ctx, c)
}

// An offset store that panics is a failure for the policy, as it is beside a Kafka.
func TestAStoreThatPanics(t *testing.T) {
	for name, rude := range map[string]func(){"panics": func() { panic("no database") }, "exits": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			cfg := consumertest.Config{Handler: consumertest.Script()}
			cfg.Offsets.Store, cfg.Offsets.Start = &rudeStore{rude: rude}, consumer.Earliest
			cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(time.Second)))}
			consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				k.Advance(time.Second)
				if d := p.Deliveries(); len(d) != 1 {
					t.Errorf("delivered %v", d)
				}
				if f := p.Failures(); len(f) != 1 || f[0].Failure.Class != messages.ClassStore {
					t.Errorf("failures %+v", f)
				}
			})
		})
	}
}
