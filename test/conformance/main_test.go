package conformance

import (
	"flag"
	"os"
	"testing"
)

// TestMain runs the tests, or what a scenario wants to run in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	if n := parallel(); n != "" { // what the command line says comes later, and counts
		if err := flag.Set("test.parallel", n); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// parallel is how many tests run at a time of those that may; empty: as many as there are processors. Most of what runs beside
// something else waits, and needs no processor for that.
func parallel() string {
	switch {
	case raced:
		return "" // which makes work of the waiting: sessions would end in a queue for the processor
	case realBrokers() != nil:
		return "4" // one node may carry all of them
	default:
		return "8"
	}
}

// alongside has a test of groups with many members run beside others, where each has brokers of its own.
func alongside(t *testing.T) {
	t.Helper()
	if realBrokers() == nil {
		t.Parallel()
	}
}

// alongsideUnlessRaced is for those whose members would not keep their sessions beside others' work under the race detector.
func alongsideUnlessRaced(t *testing.T) {
	t.Helper()
	if !raced {
		alongside(t)
	}
}
