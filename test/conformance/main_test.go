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
	parallel := "8" // most of what runs beside something else waits, and needs no processor for that
	if realBrokers() != nil {
		parallel = "4" // one node may carry all of them
	}
	if err := flag.Set("test.parallel", parallel); err != nil { // what the command line says comes later, and counts
		panic(err)
	}
	os.Exit(m.Run())
}

// alongside has a test of groups with many members run beside others, where each has brokers of its own.
func alongside(t *testing.T) {
	t.Helper()
	if realBrokers() == nil {
		t.Parallel()
	}
}
