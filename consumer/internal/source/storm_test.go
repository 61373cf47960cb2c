package source

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestStorm: in other clients a seek, a pause or a close that meets a fetch under way is where records of the old position
// come behind the new one, or come to nobody and are committed over by the next. Here a thousand seeks, a thousand closes and
// openings, and a thousand moves of leaders happen at random and at the same time, with sinks that are full, paused and woken
// meanwhile, on logs with holes. A witness that knows the logs checks every delivery: see there.
func TestStorm(t *testing.T) {
	const parts, each = 8, 1000
	c := newCluster(t, 3, parts)
	logs := fillKnown(t, c, parts, 60)
	s := newSource(t, c.ListenAddrs(), Options{MaxWait: 10 * time.Millisecond, Backoff: 2 * time.Millisecond, PartitionBytes: 16 << 10})
	var records, seeks, closes, moves, heard atomic.Int64
	over := func() bool {
		return t.Failed() || seeks.Load() >= each && closes.Load() >= each && moves.Load() >= each
	}
	var wg sync.WaitGroup
	for p, log := range logs {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(9, uint64(p)))
			target := func() int64 { return random.Int64N(log.end()) }
			var all []*witness
			for !over() {
				w := newWitness(log, 20_000)
				claim := newClaim(int32(p))
				seek, to := uint64(1), target()
				w.begins(seek, to)
				s.Open(claim, to, seek, w)
				w.has(seek)
				for range random.IntN(6) {
					if random.IntN(3) == 0 { // else the next thing comes while a fetch is under way, or before there is one
						w.room.Store(20_000)
						s.Wake(claim)
						if !w.hears(seek, 30*time.Second) {
							t.Errorf("partition %d: nothing comes of seek %d", p, seek)
						}
						heard.Add(1)
					}
					during(time.Duration(random.IntN(4)) * time.Millisecond)
					switch random.IntN(4) {
					case 0:
						w.room.Store(0)
					case 1:
						w.room.Store(-1)
					default:
						seek++
						to := target()
						w.begins(seek, to)
						s.Seek(claim, to, seek)
						w.has(seek)
						seeks.Add(1)
					}
				}
				s.Close(claim)
				w.end()
				closes.Add(1)
				records.Add(int64(w.records()))
				all = append(all, w)
			}
			for _, w := range all { // only now: nothing may have come after Close, either
				if err := w.fault(); err != nil {
					t.Errorf("partition %d: %v", p, err)
				}
			}
		})
	}
	wg.Go(func() {
		random := rand.New(rand.NewPCG(9, parts))
		for !over() {
			if err := c.MoveTopicPartition("t", random.Int32N(parts), random.Int32N(3)); err != nil {
				t.Error(err)
			}
			moves.Add(1)
			during(time.Duration(1+random.IntN(4)) * time.Millisecond)
		}
	})
	wg.Wait()
	t.Logf("%d records, %d seeks, %d closes, %d moves, %d requests; waited %d times for the newest seek",
		records.Load(), seeks.Load(), closes.Load(), moves.Load(), s.requests.Load(), heard.Load())
	if records.Load() < 10_000 {
		t.Errorf("only %d records in all that", records.Load())
	}
}
