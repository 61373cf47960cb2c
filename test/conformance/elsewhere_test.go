package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// TestElsewhereStoreDecides: an offset store that is ahead of the group's commit, or behind it, is believed; also for a
// claim that comes late, to another member. Reading begins there at once: no record has to find out and seek. Progress
// is reported to Kafka beside it.
func TestElsewhereStoreDecides(t *testing.T) {
	const each = 100
	k := cluster(t)
	topic := k.topic(4)
	group := "g-" + topic
	k.fill(topic, 4, 0, each)
	s := newStore()
	begins := map[int32]int64{0: 70, 1: 20, 2: 0, 3: 0} // 2 is at its beginning, 3 is not known
	for p := range int32(3) {
		s.set(p, begins[p])
	}
	k.commit(group, topic, map[int32]int64{0: 50, 1: 50, 2: 50, 3: 50})
	cfg := func(member string) consumer.Config {
		cfg := k.config(member, group, topic)
		cfg.Offsets = consumer.Offsets{Store: s, AlsoToKafka: true, Start: consumer.Earliest}
		cfg.Handler = s.handle
		return cfg
	}
	a := start(t, "a", cfg("a"))
	at := func(n int64) func() bool {
		return func() bool {
			for p := range int32(4) {
				if s.next(p) != n || k.committed(group, topic)[p] != n {
					return false
				}
			}
			return true
		}
	}
	eventually(t, "all have taken effect, and Kafka knows", at(each))
	for p, begin := range begins {
		s.effect(t, p, span(begin, each)...)
	}
	for _, m := range told[*messages.Moved](a) {
		t.Errorf("a did not begin where the store stands, but moved: %+v", *m)
	}

	// The store goes back by ten where Kafka's commit does not: b's claims come late and ask the store.
	for p := range int32(4) {
		s.set(p, each-10)
	}
	b := start(t, "b", cfg("b"))
	b.owns(2)
	eventually(t, "b's partitions are where they were", func() bool {
		for p := range b.partitions() {
			if s.next(p) != each {
				return false
			}
		}
		return true
	})
	late := b.partitions()
	for p := range late {
		s.effect(t, p, append(span(begins[p], each), span(each-10, each)...)...)
	}
	k.fill(topic, 4, each, each+10)
	eventually(t, "all have taken effect again", at(each+10)) // where the store was moved under a's claims, by SeekTo
	a.leave()
	b.leave()
	for p := range int32(4) {
		s.effect(t, p, append(span(begins[p], each), span(each-10, each+10)...)...)
	}
	for _, m := range told[*messages.Moved](b) {
		t.Errorf("b did not begin where the store stands, but moved: %+v", *m)
	}
	moved := told[*messages.Moved](a)
	for _, m := range moved {
		if _, given := late[m.Claim.Partition]; given || m.From != each || m.To != each-10 {
			t.Errorf("a moved %+v, want only what it kept, from %d to %d", *m, each, each-10)
		}
	}
	if len(moved) != 2 {
		t.Errorf("a moved %d claims, want the two that it kept", len(moved))
	}
}

// TestElsewhereSeekTo: a store that is moved while records flow is followed, forwards and backwards: what is in the
// backlog is thrown away, and no record is handled in between.
func TestElsewhereSeekTo(t *testing.T) {
	const each = 1000
	k := cluster(t)
	topic := k.topic(1)
	k.fill(topic, 1, 0, each)
	s := newStore()
	s.set(0, 0)
	moves := []struct{ at, to int64 }{{30, 700}, {800, 100}}
	moved := 0 // one partition: one handler at a time
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Offsets = consumer.Offsets{Store: s, Start: consumer.Earliest}
	cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
		if moved < len(moves) && rec.Offset == moves[moved].at {
			s.set(0, moves[moved].to)
			moved++
		}
		return s.handle(ctx, rec)
	}
	a := start(t, "a", cfg)
	eventually(t, "the end is reached", func() bool { return s.next(0) == each })
	a.leave()
	s.effect(t, 0, slices.Concat(span(0, 30), span(700, 800), span(100, each))...)
	var to []int64
	for _, e := range told[*messages.Moved](a) {
		to = append(to, e.To)
	}
	if !slices.Equal(to, []int64{700, 100}) {
		t.Errorf("moved to %v, want 700 and 100", to)
	}
	if n := len(told[*messages.Failed](a)); n > 0 {
		t.Errorf("%d failures: SeekTo is none", n)
	}
}

// TestElsewhereFence: another owner has raised the fence. The handler's transaction finds out and nothing takes
// effect; the partition waits a second, acquires again while it is still ours, and goes on: each effect once.
func TestElsewhereFence(t *testing.T) {
	const each = 200
	k := cluster(t)
	topic := k.topic(2)
	k.fill(topic, 2, 0, each)
	s := newStore()
	s.set(0, 0)
	s.set(1, 0)
	var once sync.Once
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Offsets = consumer.Offsets{Store: s, Start: consumer.Earliest}
	cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
		if rec.Partition == 0 && rec.Offset == 50 {
			once.Do(func() {
				s.raise(0)
				s.set(0, 60) // where the other owner came to
			})
		}
		return s.handle(ctx, rec)
	}
	a := start(t, "a", cfg)
	eventually(t, "the other partition is not held up", func() bool { return s.next(1) == each })
	eventually(t, "the end is reached", func() bool { return s.next(0) == each })
	a.leave()
	s.effect(t, 0, slices.Concat(span(0, 50), span(60, each))...)
	s.effect(t, 1, span(0, each)...)
	failed := told[*messages.Failed](a)
	if len(failed) != 1 || failed[0].Failure.Class != messages.ClassFenced {
		t.Fatalf("failures %+v, want one of class %v", failed, messages.ClassFenced)
	}
	if d := failed[0].Decision.Delay; d != time.Second {
		t.Errorf("the partition held for %v, want 1s", d)
	}
	acquired := 0
	for _, c := range s.acquired {
		if c.Partition == 0 {
			acquired++
		}
	}
	if acquired != 2 {
		t.Errorf("partition 0 was acquired %d times, want 2", acquired)
	}
}

// TestElsewhereSeekToWithoutStore: SeekTo without a store is a failure of class Seek that names the setting.
func TestElsewhereSeekToWithoutStore(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	k.fill(topic, 1, 0, 3)
	l := newLedger(1, 3)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == 1 && rec.Attempt == 0 {
			return messages.SeekTo(0)
		}
		return nil
	})
	a := start(t, "a", cfg)
	eventually(t, "all are processed", l.done)
	a.leave()
	l.clean(t)
	failed := told[*messages.Failed](a)
	if len(failed) != 1 {
		t.Fatalf("%d failures, want 1", len(failed))
	}
	f := failed[0].Failure
	var seek *messages.SeekError
	if f.Class != messages.ClassSeek || !errors.As(f.Err, &seek) || !strings.Contains(f.Err.Error(), "Offsets.Store") {
		t.Errorf("failure of class %v: %v; want class Seek, and Offsets.Store named", f.Class, f.Err)
	}
}
