package source

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/messages"
)

// TestMemoryBound: a handler is stuck with its first record, and what is fetched meanwhile stays at the bound: plain,
// and compressed to a tenth, where an ask for what fits would bring ten times as much.
func TestMemoryBound(t *testing.T) {
	const limit = 4 * mib
	for name, opts := range map[string][]kgo.Opt{
		"plain":      nil,
		"compressed": {kgo.ProducerBatchCompression(kgo.SnappyCompression())},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1, 1)
			cl := newProducer(t, c.ListenAddrs(), append(opts, kgo.ProducerBatchMaxBytes(128<<10), kgo.ProducerLinger(5*time.Millisecond))...)
			for i := range 10_000 {
				cl.Produce(context.Background(), &kgo.Record{Value: bytes.Repeat([]byte{byte(i)}, 2000)}, nil)
			}
			if err := cl.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			s := newSource(t, c.ListenAddrs(), Options{})
			stuck := make(chan struct{})
			b := openBox(t, s, 0, 0, limit, func(*messages.Record) { <-stuck })
			defer close(stuck)
			eventually(t, 5*time.Second, "the mailbox is full", func() bool { return b.Room() == 0 })
			during(300 * time.Millisecond)
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.peak > limit+limit/4 {
				t.Errorf("%d KiB of %d", b.peak>>10, limit>>10)
			}
		})
	}
}

// TestRefillTrap: a bounded busy partition beside idle ones. A full partition misses a request, which then waits for
// records of the idle ones, while the mailbox runs empty. Shortening that wait makes all the difference.
func TestRefillTrap(t *testing.T) {
	const limit, records = 356_000, 300_000 // room for 1,000
	c := newCluster(t, 1, 8)
	fill(t, c.ListenAddrs(), records, 1, 100, kgo.ProducerBatchMaxBytes(16<<10))
	rate := func(o Options, within time.Duration) float64 {
		o.MaxWait, o.Connections = time.Second, 1
		s := newSource(t, c.ListenAddrs(), o)
		defer s.Stop()
		b := openBox(t, s, 0, 0, limit, nil)
		for p := range int32(7) {
			openBox(t, s, p+1, 0, limit, nil)
		}
		eventually(t, 5*time.Second, "it has begun", func() bool { return b.count() > 0 })
		begun := time.Now()
		for b.count() < records && time.Since(begun) < within {
			during(time.Millisecond)
		}
		return float64(b.count()) / time.Since(begun).Seconds()
	}
	trapped := rate(Options{longPolls: true}, 2500*time.Millisecond)
	free := rate(Options{}, 5*time.Second)
	t.Logf("%.0f records/s with long polls, %.0f with shortened ones", trapped, free)
	if free < 20*trapped {
		t.Errorf("only %.1f times as fast", free/trapped)
	}
}

// TestPauseIsExact: a paused partition is not asked for, and goes on where it stopped.
func TestPauseIsExact(t *testing.T) {
	c := newCluster(t, 1, 1)
	fill(t, c.ListenAddrs(), 1000, 1, 100)
	s := newSource(t, c.ListenAddrs(), Options{})
	b := openBox(t, s, 0, 0, mib, nil)
	eventually(t, 5*time.Second, "all is read", func() bool { return b.count() == 1000 })
	b.pause(true)
	during(150 * time.Millisecond) // the request that was in flight
	requests := s.requests.Load()
	fill(t, c.ListenAddrs(), 1000, 1, 100)
	during(100 * time.Millisecond)
	if n := s.requests.Load() - requests; n > 0 || b.count() > 1000 {
		t.Errorf("%d requests and %d records while it was paused", n, b.count()-1000)
	}
	b.pause(false)
	eventually(t, 5*time.Second, "it goes on", func() bool { return b.count() == 2000 })
	if err := b.upTo(0, 2000); err != nil {
		t.Error(err)
	}
}
