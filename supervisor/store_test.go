package supervisor_test

import (
	"context"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// saving is a config whose handlers write to a store.
func saving(store *consumertest.Store, before func(r *messages.Record) error) config {
	cfg := config{Handler: func(_ context.Context, r *messages.Record) error {
		if before != nil {
			if err := before(r); err != nil {
				return err
			}
		}
		return store.Save(r)
	}}
	cfg.Offsets.Store, cfg.Offsets.Start = store, earliest
	return cfg
}

func TestTheStoreSaysWhereAClaimBegins(t *testing.T) {
	store := &consumertest.Store{}
	store.Set("orders", 0, 2)
	consumertest.Run(t, saving(store, nil), func(t *testing.T, k *kit) {
		k.Produce("orders", 0, "a", "b", "c")
		p := k.Assign("orders", 0)
		expect(t, "deliveries", attempts(p), "2#0/1")
		p.Revoke()
		expect(t, "committed to Kafka", p.Committed(), -1)
		k.Produce("orders", 0, "d")
		next := k.Assign("orders", 0)
		expect(t, "the next owner's", attempts(next), "3#0/1")
		expect(t, "acquired", store.Acquired(), 2)
	})
}

// The store is ahead of the backlog in the middle of a claim, or behind it: SeekTo. It is no failure.
func TestSeekTo(t *testing.T) {
	for name, to := range map[string]int64{"forwards": 4, "backwards": 0} {
		t.Run(name, func(t *testing.T) {
			sought := false
			store := &consumertest.Store{}
			cfg := saving(store, func(r *messages.Record) error {
				if r.Offset == 2 && !sought {
					sought = true
					store.Set("orders", 0, to)
					return messages.SeekTo(to)
				}
				return nil
			})
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				k.Produce("orders", 0, "a", "b", "c", "d", "e", "f")
				p := k.Assign("orders", 0)
				want := map[string]string{
					"forwards":  "0#0/1 1#0/1 2#0/1 4#0/1 5#0/1",
					"backwards": "0#0/1 1#0/1 2#0/1 0#0/1 1#0/1 2#0/1 3#0/1 4#0/1 5#0/1",
				}[name]
				expect(t, "deliveries", attempts(p), want)
				expect(t, "failures", len(p.Failures()), 0)
				if e := eventsOf[*messages.Moved](k); len(e) != 1 || e[0].From != 2 || e[0].To != to || e[0].Why != "SeekTo" {
					t.Errorf("events %+v", e)
				}
			})
		})
	}
}

// Without a store there is nobody to be ahead of the partition.
// A record that has left comes again when the store is put back: its attempts begin anew, and so do its budgets.
func TestBudgetsOfARecordThatComesAgain(t *testing.T) {
	back := false
	store := &consumertest.Store{}
	cfg := saving(store, func(r *messages.Record) error {
		switch {
		case r.Offset == 0 && r.Attempt < 2:
			return errDown
		case r.Offset == 1 && !back:
			back = true
			store.Set("orders", 0, 0)
			return messages.SeekTo(0)
		}
		return nil
	})
	cfg.Policy = always(supervisor.Retry(supervisor.Every(time.Second)).Times(2).For(time.Minute), supervisor.Skip())
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		k.Advance(time.Hour)
		expect(t, "deliveries", attempts(p), "0#0/1 0#1/1 0#2/1 1#0/1 0#0/1 0#1/1 0#2/1 1#0/1")
		all := p.Failures()
		expect(t, "failures", len(all), 4)
		expect(t, "its first failure", all[2].Failure.First, all[2].Failure.Last)
		expect(t, "of two retries are left", all[2].Decision.Left, 1)
	})
}

func TestSeekToWithoutAStore(t *testing.T) {
	cfg := config{Handler: consumertest.Script(consumertest.Fail(messages.SeekTo(5))), Policy: always(supervisor.Park("look"))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		if f := p.Failures(); len(f) != 1 || f[0].Failure.Class != messages.ClassSeek || !logged(k, "Offsets.Store") {
			t.Errorf("failures %+v", f)
		}
	})
}

// A newer owner has acquired the partition: the rules are not asked, the partition waits 1 s, doubling, and acquires again.
func TestFenced(t *testing.T) {
	store := &consumertest.Store{}
	fences := 3
	cfg := saving(store, func(r *messages.Record) error {
		if r.Offset == 1 && fences > 0 {
			fences--
			store.Fence("orders", 0)
		}
		return nil
	})
	cfg.Policy = always(supervisor.Escalate())
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		s := p.Status()
		expect(t, "state", s.State, messages.StateParked)
		expect(t, "next retry", time.Until(s.NextRetry), time.Second)
		k.Advance(time.Minute)
		var at []time.Duration
		for _, d := range p.Deliveries() {
			at = append(at, d.At)
		}
		const sec = time.Second
		want := []time.Duration{0, 0, sec, 3 * sec, 7 * sec, 7 * sec}
		if len(at) != len(want) {
			t.Fatalf("delivered at %v, want %v", at, want)
		}
		for i := range at {
			expect(t, "delivered at", at[i], want[i])
		}
		expect(t, "acquired", store.Acquired(), 4)
		expect(t, "the store's position", store.Next("orders", 0), 3)
		for _, f := range p.Failures() {
			expect(t, "class", f.Failure.Class, messages.ClassFenced)
		}

		// A fence long after is not added to these.
		fences = 1
		store.Fence("orders", 0)
		p.Append("d")
		k.Advance(time.Second)
		expect(t, "the store's position", store.Next("orders", 0), 4)
	})
}

// A partition that is fenced is released at once.
func TestARevocationWhileFenced(t *testing.T) {
	store := &consumertest.Store{}
	cfg := saving(store, func(*messages.Record) error { return messages.ErrFenced })
	hooks := told(&cfg)
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		expect(t, "release took", p.Revoke(), 0)
		expect(t, "hooks", hooks.String(), "assigned 0, revoked 0 Rebalance")
		k.Advance(time.Hour)
		expect(t, "acquired after the release", store.Acquired(), 1)
	})
}

// RetryHead while fenced acquires now; it does not deliver under the old fence.
func TestRetryHeadWhileFenced(t *testing.T) {
	store := &consumertest.Store{}
	first := true
	cfg := saving(store, func(*messages.Record) error {
		if first {
			first = false
			store.Fence("orders", 0)
		}
		return nil
	})
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		if err := p.Retry(0); err != nil {
			t.Fatal(err)
		}
		expect(t, "failures", len(p.Failures()), 1)
		expect(t, "the store's position", store.Next("orders", 0), 1)
	})
}

// The store takes its time to acquire. A RetryHead meanwhile is content with that; before, it delivered the record once
// more under the old fence. A skip is refused: the head that the operator has seen may be an old one.
func TestCommandsWhileThePartitionIsAcquiredAgain(t *testing.T) {
	store := &lateStore{}
	store.Set("orders", 0, 0)
	first := true
	cfg := saving(&store.Store, func(*messages.Record) error {
		if first {
			first = false
			store.Fence("orders", 0)
		}
		return nil
	})
	cfg.Offsets.Store = store
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		store.takes = 5 * time.Second
		p.Append("a", "b")
		k.Advance(2 * time.Second)
		if err := p.Retry(0); err != nil {
			t.Errorf("retry: %v", err)
		}
		if err := p.Retry(1); err == nil {
			t.Error("a command for another head was not refused")
		}
		if err := p.Skip(0); err == nil {
			t.Error("a skip was not refused")
		}
		expect(t, "deliveries before it is acquired", attempts(p), "0#0/1")
		k.Advance(4 * time.Second)
		expect(t, "deliveries", attempts(p), "0#0/1 0#1/1 1#0/1")
		expect(t, "failures", len(p.Failures()), 1)
		expect(t, "acquired", store.Acquired(), 2)
		expect(t, "the store's position", store.Next("orders", 0), 2)
	})
}

// Another owner has acquired the partition and worked up to offset 10. What happens to the records that are still here
// must not take that back: a RetryHead, a slow handler that fails, a rule that skips.
func TestALateSkipDoesNotMoveTheStoreBack(t *testing.T) {
	store := &lateStore{}
	store.Set("orders", 0, 0)
	delivered := 0
	cfg := saving(&store.Store, func(r *messages.Record) error {
		if r.Offset > 0 {
			return nil
		}
		if delivered++; delivered == 1 {
			store.Fence("orders", 0)
			store.Set("orders", 0, 10)
			return nil
		}
		time.Sleep(10 * time.Second)
		return errBoom
	})
	cfg.Offsets.Store, cfg.Policy = store, always(supervisor.Skip())
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		store.takes = 5 * time.Second
		p.Append("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
		k.Advance(2 * time.Second)
		if err := p.Retry(0); err != nil {
			t.Errorf("retry: %v", err)
		}
		k.Advance(time.Minute)
		expect(t, "the store's position", store.Next("orders", 0), 10)
	})
}

// The partition was acquired again, and cannot be read where the store says. Skipped to where it can be, it goes on under
// the new fence.
func TestASkipAfterAnAcquisitionThatIsOutOfRange(t *testing.T) {
	store := &consumertest.Store{}
	store.Set("orders", 0, 0)
	var fences []int64
	cfg := saving(store, func(r *messages.Record) error {
		fences = append(fences, r.Fence)
		return nil
	})
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		store.Fence("orders", 0)
		store.Set("orders", 0, 1)
		p.Append("b", "c", "d", "e")
		p.Truncate(3)
		k.Advance(2 * time.Second)
		expect(t, "head", p.Status().Head, 1)
		if err := p.Skip(1); err != nil {
			t.Fatal(err)
		}
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 3#0/1 4#0/1")
		if want := []int64{1, 1, 3, 3}; !slices.Equal(fences, want) {
			t.Errorf("fences %v, want %v", fences, want)
		}
	})
}

// A store does not answer, and is asked by several commands. The claim's end ends every question.
func TestARevocationDuringASecondLookUp(t *testing.T) {
	for name, again := range map[string]func(p *partition) error{
		"asked again by a skip":  func(p *partition) error { return p.Skip(0) },
		"asked again by a retry": func(p *partition) error { return p.Retry(0) },
	} {
		t.Run(name, func(t *testing.T) {
			store := &lateStore{}
			store.Set("orders", 0, 0)
			cfg := saving(&store.Store, func(*messages.Record) error { return errBoom })
			cfg.Offsets.Store, cfg.Policy = store, always(supervisor.Park("look"))
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				store.takes = 1000 * time.Hour
				store.Fence("orders", 0)
				if err := p.Skip(0); err == nil {
					t.Error("a skip that is fenced was carried out")
				}
				_ = again(p)
				expect(t, "release took", p.Revoke(), 0)
				if err := k.Drain(); err != nil {
					t.Errorf("drain: %v", err)
				}
				expect(t, "ended", k.Now(), 0)
			})
		})
	}
}

// lateStore needs time to acquire.
type lateStore struct {
	consumertest.Store
	takes time.Duration
}

func (s *lateStore) Acquire(ctx context.Context, c messages.Claim) (p consumertest.Position, err error) {
	if s.takes > 0 {
		select {
		case <-time.After(s.takes):
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
	return s.Store.Acquire(ctx, c)
}

// ErrFenced without a store is an error like any other.
func TestFencedWithoutAStore(t *testing.T) {
	cfg := config{Handler: failOn(0, 1, consumertest.Fail(messages.ErrFenced)), Policy: always(supervisor.Retry(every(time.Minute)))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "0#0/1 0#1/1")
	})
}

func TestASkipAdvancesTheStoreFirst(t *testing.T) {
	store := &consumertest.Store{}
	cfg := saving(store, func(r *messages.Record) error {
		if r.Offset == 1 {
			return errBoom
		}
		return nil
	})
	cfg.Policy = always(supervisor.Skip())
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1")
		expect(t, "the store's position", store.Next("orders", 0), 2)
	})
}

func TestASkipWhoseStoreFails(t *testing.T) {
	store := &consumertest.Store{}
	cfg := saving(store, func(r *messages.Record) error {
		if r.Offset == 1 {
			return errBoom
		}
		return nil
	})
	cfg.Policy = always(supervisor.Skip())
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		store.Fail(2, errOther)
		p.Append("b", "c")
		expect(t, "deliveries while the store fails", attempts(p), "0#0/1 1#0/1")
		k.Advance(2 * time.Second)
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 1#1/1 1#2/1 2#0/1")
		expect(t, "the store's position", store.Next("orders", 0), 3)
		expect(t, "skipped", p.Status().Counters.Skipped, 1)
		if f := p.Failures(); len(f) != 3 || f[0].Failure.Class != messages.ClassStore || f[2].Failure.Class != messages.ClassHandler {
			t.Errorf("failures %+v", f)
		}
	})
}

// A record that always fails is to be skipped, and the store says fenced: a retry would meet the same fence for ever.
func TestASkipThatIsFenced(t *testing.T) {
	store := &consumertest.Store{}
	cfg := saving(store, func(r *messages.Record) error {
		if r.Offset == 1 {
			return errBoom
		}
		return nil
	})
	cfg.Policy = always(supervisor.Skip())
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		store.Fence("orders", 0)
		p.Append("b", "c")
		k.Advance(time.Minute)
		expect(t, "the store's position", store.Next("orders", 0), 3)
		expect(t, "acquired", store.Acquired(), 2)
	})
}

func TestAnOperatorsSkipThatIsFenced(t *testing.T) {
	store := &consumertest.Store{}
	cfg := saving(store, func(r *messages.Record) error {
		if r.Offset == 1 {
			return errBoom
		}
		return nil
	})
	cfg.Policy = always(supervisor.Park("look"))
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		store.Fence("orders", 0)
		if err := p.Skip(1); err == nil {
			t.Error("a skip that is fenced was carried out")
		}
		expect(t, "still parked", p.Status().State, messages.StateParked)
		expect(t, "the store's position", store.Next("orders", 0), 1)
		if err := p.Skip(1); err != nil {
			t.Errorf("the second time: %v", err)
		}
		expect(t, "the store's position", store.Next("orders", 0), 3)
	})
}

func TestAStoreThatFailsAtTheStart(t *testing.T) {
	store := &consumertest.Store{}
	store.Fail(2, errOther)
	consumertest.Run(t, saving(store, nil), func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Advance(110 * time.Second)
		expect(t, "deliveries", attempts(p), "0#0/1")
		f := p.Failures()
		if len(f) != 2 || f[0].Failure.Class != messages.ClassStore || f[0].Failure.Offset != -1 || f[1].Decision.Delay != 100*time.Second {
			t.Errorf("failures %+v", f)
		}
	})
}

func TestAlsoToKafka(t *testing.T) {
	store := &consumertest.Store{}
	cfg := saving(store, nil)
	cfg.Offsets.AlsoToKafka = true
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		expect(t, "committed", p.Committed(), 2)
	})
}

// brokenStore answers a nil error of its own type, which is no nil error, and panics when it is asked for its causes.
type brokenStore struct {
	consumertest.Store

	broken atomic.Bool
}

// Acquire implements consumer.OffsetStore.
func (s *brokenStore) Acquire(ctx context.Context, c messages.Claim) (consumertest.Position, error) {
	if s.broken.Load() {
		var err *os.PathError
		return consumertest.Position{}, err
	}
	return s.Store.Acquire(ctx, c)
}

func TestAStoreWhoseErrorPanics(t *testing.T) {
	store := &brokenStore{}
	store.broken.Store(true)
	cfg := saving(&store.Store, nil)
	cfg.Offsets.Store = store
	cfg.Policy = always(supervisor.Retry(every(time.Minute)))
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		expect(t, "phase", k.Status().Phase, "member")
		store.broken.Store(false)
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "0#0/1")
	})
}
