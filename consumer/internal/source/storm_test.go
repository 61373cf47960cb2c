package source

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestStorm: seeks, full and paused sinks, closed and opened claims, and leaders that move, all at random and at the
// same time. Every sink checks every delivery.
func TestStorm(t *testing.T) {
	const parts, each = 8, 5000
	c := newCluster(t, 3, parts)
	fill(t, c.ListenAddrs(), parts*each, parts, 50)
	s := newSource(t, c.ListenAddrs(), Options{MaxWait: 20 * time.Millisecond, Backoff: 5 * time.Millisecond})
	stop := make(chan struct{})
	var records, seeks, closes atomic.Int64
	var wg sync.WaitGroup
	for p := range int32(parts) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				k := newSink(20_000)
				claim := newClaim(p)
				from := rand.Int64N(each)
				k.expect(1, from)
				s.Open(claim, from, 1, k)
				for i := range 20 {
					during(time.Duration(rand.IntN(8)) * time.Millisecond)
					switch rand.IntN(4) {
					case 0:
						to := rand.Int64N(each)
						seek := uint64(i + 2)
						records.Add(int64(k.records()))
						s.Seek(claim, to, seek)
						k.expect(seek, to)
						seeks.Add(1)
					case 1:
						k.room.Store(0)
					case 2:
						k.room.Store(-1)
					default:
						k.room.Store(20_000)
						s.Wake(claim)
					}
				}
				s.Close(claim)
				k.end()
				closes.Add(1)
				records.Add(int64(k.records()))
				if err := k.fault(); err != nil {
					t.Errorf("partition %d: %v", p, err)
				}
				k.mu.Lock()
				if len(k.errs) > 0 {
					t.Errorf("partition %d: %v", p, k.errs)
				}
				k.mu.Unlock()
			}
		})
	}
	for begun := time.Now(); time.Since(begun) < 3*time.Second; {
		c.ShufflePartitionLeaders()
		during(50 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	t.Logf("%d records, %d seeks, %d claims, %d requests", records.Load(), seeks.Load(), closes.Load(), s.requests.Load())
	if records.Load() < 10_000 {
		t.Errorf("only %d records in all that", records.Load())
	}
}
