package supervisor_test

import (
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Faults are injected one at a time: a run passes points, and at one of them code panics, or ends its goroutine. Which points
// there are a run without a fault says; a test then makes a run for each.

// place is the nth passage of a point.
type place struct {
	point string
	nth   int // from 1; 0: none
}

// trap is at every point of a run, and strikes at one place.
type trap struct {
	place
	exits bool // runtime.Goexit in the place of a panic

	mu     sync.Mutex
	passed map[string]int // how often each point was
	struck bool
}

const injected = "injected fault"

// pass is called at each point.
func (t *trap) pass(point string) {
	t.mu.Lock()
	if t.passed == nil {
		t.passed = map[string]int{}
	}
	t.passed[point]++
	strikes := t.place == place{point, t.passed[point]}
	t.struck = t.struck || strikes
	t.mu.Unlock()
	switch {
	case strikes && t.exits:
		runtime.Goexit()
	case strikes:
		panic(injected + " " + point)
	}
}

// note is called where no fault is to be injected.
func (t *trap) note(point string) { t.pass("at " + point) }

func (t *trap) hasStruck() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.struck
}

var everywhere = flag.Bool("inject.everywhere", false, "inject a fault at each place, and not only at some of each point")

// inject makes a run without a fault, and then one for each place that it has passed: a panic, and with exits a Goexit, too. With
// only these are the places of the points that end so. It answers all points.
func inject(t *testing.T, made func(*trap) *injection, exits bool, only ...string) (points []string) {
	t.Helper()
	ways := []string{"panics"}
	if exits {
		ways = append(ways, "exits")
	}
	dry := made(&trap{})
	t.Run("no fault", func(t *testing.T) { dry.run(t) })
	if t.Failed() {
		return nil
	}
	points = slices.Sorted(maps.Keys(dry.passed))
	for i, point := range points {
		if strings.HasPrefix(point, "at ") || len(only) > 0 && !slices.ContainsFunc(only, func(end string) bool { return strings.HasSuffix(point, end) }) {
			continue
		}
		for n := range dry.passed[point] {
			if some := min(dry.passed[point], 20); !*everywhere && n%some != i%some { // one in 20, and one of each
				continue
			}
			for _, how := range ways {
				in := made(&trap{place: place{point, n + 1}, exits: how == "exits"})
				t.Run(fmt.Sprintf("%s/%d %s", point, n+1, how), func(t *testing.T) { in.run(t) })
			}
		}
	}
	return points
}
