package simulation

import (
	"flag"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

var (
	schedules = flag.Int("schedules", byDefault, "how many schedules are simulated")
	first     = flag.Uint64("seed", 1, "the first schedule's seed; the next ones count up")
	again     = flag.Int("again", 1, "how often each schedule is run: the order of goroutines is not the seed's")
	enough    = flag.Int("failures", 3, "after how many failures no more schedules are run")
	whole     = flag.Bool("whole", false, "print the whole story of a failure, not its end")
)

// TestSchedules runs schedules of faults. What has to hold is in the package's documentation.
//
//	go test ./consumer/internal/simulation -schedules 10000
//	go test ./consumer/internal/simulation -schedules 1 -seed 4711 -again 50 -whole
func TestSchedules(t *testing.T) {
	if *schedules == 0 {
		t.Skip("not by default under the race detector, which fails in these bubbles itself: -schedules N runs them")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a schedule leaves nothing behind
	var r run
	began := time.Now()
	t.Run("side by side", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				r.some(t)
			})
		}
	})
	slices.Sort(r.took)
	median, longest := r.took[len(r.took)/2], r.took[len(r.took)-1]
	t.Logf("%d schedules, %d failed, in %.1f s; median %.1f ms, longest %.0f ms; %v", len(r.took), r.failed, time.Since(began).Seconds(),
		median.Seconds()*1000, longest.Seconds()*1000, r.sum)
}

// run is a run of many schedules, shared by those who take from it.
type run struct {
	mu     sync.Mutex
	next   int
	took   []time.Duration
	failed int
	sum    counts
}

// take is the next schedule's number; false: there is none, or enough have failed.
func (r *run) take() (n int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = r.next
	r.next++
	return n / *again, n < *schedules**again && r.failed < *enough
}

// some runs schedules, one after the other, until there are no more. One actor system serves them all: it costs as much
// as a short schedule.
func (r *run) some(t *testing.T) {
	t.Helper()
	sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	before := actorsOf(sys)
	for n, ok := r.take(); ok; n, ok = r.take() {
		s := newSchedule(*first + uint64(n))
		began := time.Now()
		l := s.live(t, sys)
		r.lived(t, s, l, time.Since(began))
	}
	if left := actorsOf(sys) - before; left > 0 {
		t.Errorf("%d actors have not ended", left)
	}
	sys.Shutdown()
}

func (r *run) lived(t *testing.T, s schedule, l *ledger, took time.Duration) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = append(r.took, took)
	r.sum.add(l.counts)
	if len(l.violations) > 0 {
		r.failed++
		t.Errorf("violation: %s\n%s\n%s", strings.Join(l.violations, "\nviolation: "), s, l.tail())
	}
}

// actorsOf counts the actors of a system.
func actorsOf(sys *actor.ActorSystem) (n int) {
	for _, part := range sys.ProcessRegistry.LocalPIDs.LocalPIDs {
		n += part.Count()
	}
	return n
}

func (c *counts) add(d counts) {
	c.handled += d.handled
	c.duplicates += d.duplicates
	c.failures += d.failures
	c.commits += d.commits
	c.claims += d.claims
	c.steps += d.steps
	c.pauses += d.pauses
	c.saves += d.saves
	c.fenced += d.fenced
	c.seeks += d.seeks
	c.skips += d.skips
	c.restarts += d.restarts
	c.parks += d.parks
	c.pausings += d.pausings
	c.openings += d.openings
	c.timeouts += d.timeouts
	c.reports += d.reports
	c.decisions += d.decisions
	c.letters += d.letters
	c.written += d.written
	c.givenUp += d.givenUp
}

func (c counts) String() string {
	return fmt.Sprintf("%d events: %d attempts, %d of them failed, %d duplicates; %d commits, %d claims; "+
		"%d processes paused, %d fenced by a second one with their id, %d static restarts that nobody noticed; %d saves in a store, %d seeks; "+
		"%d records skipped by an operator, %d parked, %d pauses; a breaker was opened %d times, %d attempts took too long, %d reports of what is stuck; "+
		"%d decisions as the model has them, %d tries of dead letters, %d written, %d records given up by the policy",
		c.steps, c.handled, c.failures, c.duplicates, c.commits, c.claims, c.pauses, c.fenced, c.restarts, c.saves, c.seeks,
		c.skips, c.parks, c.pausings, c.openings, c.timeouts, c.reports,
		c.decisions, c.letters, c.written, c.givenUp)
}

// tail is the end of the story.
func (l *ledger) tail() string {
	story := l.story
	if len(story) > 150 && !*whole {
		story = story[len(story)-150:]
	}
	var b strings.Builder
	for _, m := range story {
		fmt.Fprintln(&b, m)
	}
	return b.String()
}
