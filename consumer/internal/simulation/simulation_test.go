package simulation

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
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
	var sum counts
	var took []time.Duration
	failed := 0
	for n := range *schedules {
		s := newSchedule(*first + uint64(n))
		for range *again {
			began := time.Now()
			l := s.live(t)
			took = append(took, time.Since(began))
			sum.add(l.counts)
			if len(l.violations) > 0 {
				failed++
				t.Errorf("violation: %s\n%s\n%s", strings.Join(l.violations, "\nviolation: "), s, l.tail())
			}
			if failed == *enough {
				t.Fatalf("%d schedules, %d failed; no more are run", len(took), failed)
			}
		}
	}
	slices.Sort(took)
	t.Logf("%d schedules, %d failed; median %v, longest %v; %v", len(took), failed, took[len(took)/2], took[len(took)-1], sum)
}

func (c *counts) add(d counts) {
	c.handled += d.handled
	c.duplicates += d.duplicates
	c.failures += d.failures
	c.commits += d.commits
	c.claims += d.claims
	c.steps += d.steps
}

func (c counts) String() string {
	return fmt.Sprintf("%d events: %d attempts, %d of them failed, %d duplicates; %d commits, %d claims", c.steps, c.handled, c.failures, c.duplicates, c.commits, c.claims)
}

// tail is the end of the story.
func (l *ledger) tail() string {
	story := l.story
	if len(story) > 150 && !*whole {
		story = story[len(story)-150:]
	}
	return strings.Join(story, "\n")
}
