package conformance

import (
	"context"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// TestElsewhereMarkerAtTheOffset: a store's position is where a transaction's marker lies, at the start of a claim and
// after a seek. The records behind it come, and nothing seeks for ever.
func TestElsewhereMarkerAtTheOffset(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	client := k.client(kgo.TransactionalID("tx-" + topic))
	defer client.Close()
	for i, how := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} { // 0 1 and a marker at 2, then 5 6 and one at 7
		begin(t, client)
		for range 2 {
			put(t, client, &kgo.Record{Topic: topic})
		}
		end(t, client, how) // is answered before the markers are written
		eventually(t, "the marker is written", func() bool { return k.stable(topic) == int64(5*i+3) })
		for range 2 { // 3 4, then 8 9
			put(t, k.writer, &kgo.Record{Topic: topic})
		}
	}
	s := newStore()
	s.set(0, 2)
	once := sync.OnceFunc(func() { s.set(0, 7) })
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Offsets = consumer.Offsets{Store: s, Start: consumer.Earliest}
	cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
		if rec.Offset == 4 {
			once()
		}
		if next := s.next(0); next < rec.Offset { // the offsets in between hold no record
			s.set(0, rec.Offset)
		}
		return s.handle(ctx, rec)
	}
	a := start(t, "a", cfg)
	eventually(t, "the end is reached", func() bool { return s.next(0) == 10 })
	a.leave()
	s.effect(t, 0, 3, 8, 9)
	moved := told[*messages.Moved](a)
	if len(moved) != 1 || moved[0].From != 4 || moved[0].To != 7 {
		t.Errorf("moved %+v, want once, from 4 to 7", moved)
	}
	if n := len(told[*messages.Failed](a)); n > 0 {
		t.Errorf("%d failures: to seek is none", n)
	}
}

// TestElsewhereUnknownPartition: a partition that the store does not know begins where Offsets.Start says, or parks and
// says what to do; those that it knows are not held up.
func TestElsewhereUnknownPartition(t *testing.T) {
	const each = 20
	for _, c := range []struct {
		choice consumer.Choice
		want   []int64 // of the unknown one
	}{{consumer.Latest, span(each, each+5)}, {consumer.Fail, nil}} {
		t.Run(c.choice.String(), func(t *testing.T) {
			k := cluster(t)
			topic := k.topic(2)
			k.fill(topic, 2, 0, each)
			s := newStore()
			s.set(0, 5)
			cfg := k.config("a", "g-"+topic, topic)
			cfg.Offsets = consumer.Offsets{Store: s, Start: c.choice}
			cfg.Handler = s.handle
			a := start(t, "a", cfg)
			a.owns(2)
			if p := a.partitions()[1]; c.want == nil && (p.State != messages.StateParked || p.Reason == "") {
				t.Errorf("it is %v because of %q, want parked and a reason", p.State, p.Reason)
			}
			k.fill(topic, 2, each, each+5)
			eventually(t, "the known one is at its end", func() bool { return s.next(0) == each+5 })
			if c.want != nil {
				eventually(t, "the unknown one is, too", func() bool { return s.next(1) == each+5 })
			}
			a.leave()
			s.effect(t, 0, span(5, each+5)...)
			s.effect(t, 1, c.want...)
		})
	}
}
