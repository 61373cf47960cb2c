package source

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ottla-go/ottla/actors"
)

// strays are the goroutines of this package, and those that sarama runs for a connection.
func strays() (all []string) {
	buf := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "source.(*lane)") || strings.Contains(g, "source.(*Source)") || strings.Contains(g, "source.(*lists)") ||
			strings.Contains(g, "sarama.(*Broker)") || strings.Contains(g, "conn.(*Broker)") {
			all = append(all, g)
		}
	}
	return all
}

// TestStopCutsWhatIsInFlight: no request is waited for, and no goroutine is left.
func TestStopCutsWhatIsInFlight(t *testing.T) {
	c := newCluster(t, 3, 6)
	s := newSource(t, c.ListenAddrs(), Options{MaxWait: 20 * time.Second})
	boxes := make([]*box, 6)
	for p := range boxes {
		boxes[p] = openBox(t, s, int32(p), 0, mib, nil)
	}
	eventually(t, 5*time.Second, "all brokers have been asked", func() bool { return s.requests.Load() >= 3 })
	during(20 * time.Millisecond)
	if len(strays()) == 0 {
		t.Fatal("this test does not see the goroutines that it looks for")
	}
	begun := time.Now()
	s.Stop()
	if d := time.Since(begun); d > time.Second {
		t.Errorf("Stop took %v", d)
	}
	s.Stop() // more than once is fine
	// The last instant of one of sarama's own is not waited for: it has said that it is done.
	eventually(t, 5*time.Second, "no goroutine is left", func() bool { return len(strays()) == 0 })
	s.Open(newClaim(0), 0, 1, newSink(mib))
	s.Seek(boxes[0].claim, 0, 2)
	s.Wake(boxes[0].claim)
	if _, _, err := s.Range(t.Context(), "t", 0); err == nil {
		t.Error("a range after Stop")
	}
	if left := strays(); len(left) > 0 {
		t.Errorf("started after Stop: %s", left)
	}
}

// TestStopWhileConnecting: a broker that is not there must not hold it up either.
func TestStopWhileConnecting(t *testing.T) {
	dead := silentListener(t)
	s := newSource(t, []string{dead}, Options{})
	s.Open(newClaim(0), 0, 1, newSink(mib))
	during(50 * time.Millisecond)
	begun := time.Now()
	s.Stop()
	if d := time.Since(begun); d > time.Second {
		t.Errorf("Stop took %v", d)
	}
}

// locked is a sink that wakes the source under its own lock, as a backlog may.
type locked struct {
	mu    sync.Mutex
	limit int
	n     int
}

func (k *locked) Room() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.limit
}

func (k *locked) Deliver(_ uint64, b actors.Batch, _ actors.Extent) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n += b.Len()
}

func (k *locked) Failed(uint64, error) {}

// TestWakeUnderTheSinksLock: the source holds the partition's lock and waits for the sink's, the backlog holds its own
// and calls Wake. With one lock for both on the source's side, both wait for ever.
func TestWakeUnderTheSinksLock(t *testing.T) {
	c := newCluster(t, 1, 2)
	fill(t, c.ListenAddrs(), 20_000, 2, 50)
	s := newSource(t, c.ListenAddrs(), Options{Connections: 1})
	var wg sync.WaitGroup
	for p := range int32(2) {
		claim := newClaim(p)
		k := &locked{limit: 10_000}
		s.Open(claim, 0, 1, k)
		wg.Go(func() {
			for {
				k.mu.Lock()
				s.Wake(claim)
				done := k.n == 10_000
				k.mu.Unlock()
				if done {
					return
				}
				runtime.Gosched()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("both wait")
	}
}

// TestLaneRetires: a connection that no partition needs any more is closed: also when its last one is closed while the
// lane rests, because that partition had no room.
func TestLaneRetires(t *testing.T) {
	c := newCluster(t, 1, 2)
	s := newSource(t, c.ListenAddrs(), Options{retireAfter: 20 * time.Millisecond, MaxWait: 10 * time.Millisecond})
	lanes := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.lanes)
	}
	for _, resting := range []bool{false, true} {
		b := openBox(t, s, 0, 0, mib, nil)
		eventually(t, 5*time.Second, "it is on a lane", func() bool { return lanes() == 1 })
		if resting {
			b.pause(true)
			last := int64(-1)
			eventually(t, 5*time.Second, "the lane rests", func() bool {
				during(50 * time.Millisecond)
				before := last
				last = s.requests.Load()
				return last == before
			})
		}
		s.Close(b.claim)
		eventually(t, 5*time.Second, "the lane is gone", func() bool { return lanes() == 0 && len(strays()) == 2 }) // the router and the watch
	}
	fill(t, c.ListenAddrs(), 10, 1, 10)
	again := openBox(t, s, 0, 0, mib, nil)
	eventually(t, 5*time.Second, "it comes again", func() bool { return again.count() == 10 })
}
