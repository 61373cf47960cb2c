package source

import (
	"bytes"
	"context"
	"math/rand/v2"
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

// squeezedLog is batches of 100 KB in memory each and little more than a hundredth of that on the wire.
func squeezedLog(batches int) []raw {
	vs := values(10, 10_000)
	for _, v := range vs {
		for j := range 100 {
			v[j] = byte(rand.Uint32())
		}
	}
	log := make([]raw, batches)
	for i := range log {
		log[i] = gzipped(int64(i*10), int64(i*10+9), vs...)
	}
	return log
}

// TestBurstAfterTheEndOfALog: a partition reads what little there is, and then a burst comes. The small answers before
// have shown that its records compress, not how much.
func TestBurstAfterTheEndOfALog(t *testing.T) {
	c := newCluster(t, 1, 1)
	log := squeezedLog(600)
	sc := newScript(t, c, map[int32][]raw{0: log[:4]})
	s := newSource(t, c.ListenAddrs(), Options{Connections: 1, MaxWait: 10 * time.Millisecond})
	k := &scale{room: 4 * mib}
	s.Open(newClaim(0), 0, 1, k)
	eventually(t, 5*time.Second, "the end is reached", func() bool { return k.records() == 40 })
	sc.mu.Lock()
	sc.logs[0] = log
	sc.mu.Unlock()
	eventually(t, 15*time.Second, "the burst has come", func() bool { return k.records() == 6000 })
	if most := k.most(); most > 6*mib {
		t.Errorf("a delivery of %d MiB for a room of 4 MiB", most>>20)
	}
}

// TestCrowdKeepsToItsRoom: many partitions share answers that hold a few of them. Most get nothing most of the time,
// and that is no reason to ask for more than they have room for.
func TestCrowdKeepsToItsRoom(t *testing.T) {
	const parts = 32
	c := newCluster(t, 1, parts)
	log := squeezedLog(120)
	logs := map[int32][]raw{}
	for p := range int32(parts) {
		logs[p] = log
	}
	newScript(t, c, logs)
	s := newSource(t, c.ListenAddrs(), Options{Connections: 1, MaxBytes: 256 << 10, PartitionBytes: 256 << 10})
	ks := make([]*scale, parts)
	for p := range ks {
		ks[p] = &scale{room: mib, free: 2} // slow start: what comes before the compression is known
		s.Open(newClaim(int32(p)), 0, 1, ks[p])
	}
	for p, k := range ks {
		eventually(t, 30*time.Second, "all is read", func() bool { return k.records() == 1200 })
		if most := k.most(); most > 5*mib {
			t.Errorf("partition %d: a delivery of %d KiB for a room of 1 MiB", p, most>>10)
		}
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
