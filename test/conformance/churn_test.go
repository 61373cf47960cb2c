package conformance

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
)

// TestChurn: three members join and leave cleanly at random while 20,000 records flow, of which 1 % fail once
// with an error and 1 % with a panic. Each record is processed, in its partition's order, by one handler at a time
// over all members, and none of them twice.
func TestChurn(t *testing.T) {
	const slots, partitions, total = 3, 8, 20_000
	k := cluster(t)
	topic := k.topic(partitions)
	k.fill(topic, partitions, 0, total/partitions)
	l := newLedger(partitions, total/partitions)
	handle := func(ctx context.Context, rec *consumer.Record) error {
		work(ctx.Done(), time.Millisecond)
		return stumble(rec)
	}

	var joins atomic.Int64
	var members sync.WaitGroup
	for slot := range slots {
		members.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(slot)))
			for !l.done() {
				name := name("m")
				cfg := k.config(name, "g-"+topic, topic)
				cfg.Handler = l.keeps(name, handle)
				m := start(t, name, cfg)
				joins.Add(1)
				until := l.count() + 200 + random.IntN(1800)
				if !waits(patience, func() bool { return l.done() || l.count() >= until }) {
					t.Errorf("%s: no progress within %v, %d records are processed", name, patience, l.count())
					stacks(t)
					return
				}
				m.leave()
			}
		})
	}
	members.Wait()

	l.clean(t)
	for p, at := range k.committed("g-"+topic, topic) {
		if at != total/partitions {
			t.Errorf("partition %d: %d is committed, want %d", p, at, total/partitions)
		}
	}
	if joins.Load() < 10 {
		t.Errorf("only %d members came and went: this was no churn", joins.Load())
	}
	t.Logf("%d members came and went, %d records, %d failures", joins.Load(), l.count(), l.failures)
	if l.failures < total/100 {
		t.Errorf("%d failures: too few", l.failures)
	}
}

var errStumble = errors.New("one in a hundred")

// stumble fails the first attempt at one record in a hundred with an error, and at another one with a panic.
func stumble(rec *consumer.Record) error {
	if rec.Attempt > 0 {
		return nil
	}
	switch (rec.Offset*31 + int64(rec.Partition)*17) % 100 {
	case 3:
		return errStumble
	case 7:
		panic("one in a hundred")
	}
	return nil
}
