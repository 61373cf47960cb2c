package committer

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ottla-go/ottla/actors"
)

// Real goroutines and no clock to help: four partitions, each again and again claimed, worked on, closed with notes
// unsent, and given to another member in the next generation, while commits of all of them are under way. No commit
// may be accepted for a partition that belongs to somebody else at that moment.
func TestStormOfOwners(t *testing.T) {
	const places = 4
	b := newBroker(partitions(places)...)
	mine := make(map[place]bool)
	var stray, accepted int
	b.owner = func(generation int32, at place) error { // under the broker's lock
		accepted++
		if !mine[at] {
			stray++
			t.Errorf("generation %d committed %v, which is somebody else's: claims closed before that", generation, at)
			return fmt.Errorf("stray commit")
		}
		return nil
	}
	x := newBench(t, b, func(s *Settings) { s.Interval = 50 * time.Microsecond })
	// Long metadata, so that building a request takes a while.
	p := actors.Progress{Parked: true, Reason: strings.Repeat("why ", 600)}
	var rebalance sync.Mutex
	var wg sync.WaitGroup
	const enough = 100 // on a busy machine they take a while
	begun := time.Now()
	going := func() (more bool) {
		b.set(func(*broker) { more = accepted < enough })
		took := time.Since(begun)
		return took < 700*time.Millisecond || more && took < 20*time.Second
	}
	for n := range int32(places) {
		wg.Go(func() {
			at := orders(n)
			for round := int64(0); going(); round++ {
				move := func(to bool) {
					rebalance.Lock()
					defer rebalance.Unlock()
					b.set(func(b *broker) { b.generation++; mine[at] = to })
					x.coord.Become("a", b.generation)
				}
				move(true)
				k := x.claim(at)
				for i := range 20 + 10*n {
					p := p
					p.Next = round*1000 + int64(i)
					k.Commit(p, i%3 == 0, nil)
				}
				for range round % 7 * 10 {
					runtime.Gosched()
				}
				k.Close()
				move(false)
			}
		})
	}
	wg.Wait()
	x.Stop()
	if accepted < enough {
		t.Errorf("only %d commits were accepted: the storm shows nothing", accepted)
	}
	t.Logf("%d commits accepted, %d of them stray, in %d requests", accepted, stray, len(b.requests()))
}

// eventually waits for a state.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	if !within(10*time.Second, is) {
		t.Fatalf("%s: not in 10 s", what)
	}
}

func within(d time.Duration, is func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		if is() {
			return true
		}
	}
	return is()
}
