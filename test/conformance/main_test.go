package conformance

import (
	"os"
	"testing"
)

// TestMain runs the tests, or what a scenario wants to run in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}
