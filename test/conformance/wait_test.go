package conformance

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// patience is how long a scenario waits for a state that must come. It is no measure: a real broker, three nodes of
// it, other tests and the race detector share two cores.
const patience = 40 * time.Second

// eventually waits for a state, and fails the test when it has not come within patience.
func eventually(t testing.TB, state string, holds func() bool) {
	t.Helper()
	within(t, patience, state, holds)
}

// within is eventually with a limit that the scenario is about. It answers how long it took.
func within(t testing.TB, limit time.Duration, state string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	if !waits(limit, holds) {
		stacks(t)
		t.Fatalf("not within %v: %s", limit, state)
	}
	return time.Since(began)
}

// waits looks every few milliseconds, for states that nobody reports; false when the limit is over.
func waits(limit time.Duration, holds func() bool) bool {
	over := time.NewTimer(limit)
	defer over.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-over.C:
			return holds()
		case <-look.C:
		}
	}
	return true
}

// received waits for a message.
func received[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	over := time.NewTimer(patience)
	defer over.Stop()
	select {
	case v := <-from:
		return v
	case <-over.C:
		stacks(t)
		t.Fatalf("not within %v: %s", patience, what)
		panic("unreachable")
	}
}

// work is what a handler does for a while, unless its context ends.
func work(ended <-chan struct{}, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ended:
	}
}

// stacks shows what every goroutine does, for whoever looks for a deadlock: OTTLA_TEST_STACKS=1.
func stacks(t testing.TB) {
	if os.Getenv("OTTLA_TEST_STACKS") == "" {
		return
	}
	buf := make([]byte, 8<<20)
	t.Logf("%s", buf[:runtime.Stack(buf, true)])
}
