package simulation

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/planted"
)

// weakness is a fault that somebody might build in one day: a defence that is taken away.
type weakness struct {
	name  string
	edits []planted.Edit
}

var plant = flag.Bool("planted", false, "show that planted faults are found: compiles the simulation once for each of them")

// TestPlantedFaultsAreFound shows that the simulation finds what it is made for. Each fault has to be found within
// 10,000 schedules; in how many of how many is printed.
//
//	go test ./consumer/internal/simulation -run Planted -planted -v
func TestPlantedFaultsAreFound(t *testing.T) {
	if len(faults) < 12 {
		t.Errorf("only %d faults are planted", len(faults))
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			overlay := planted.Overlay(t, f.edits) // always: a fault that cannot be planted any more is found here
			if !*plant {
				return
			}
			t.Parallel()
			binary := planted.Compile(t, overlay)
			batches := []struct{ seed, schedules, failures int }{{1, 60, 5}, {61, 540, 5}, {601, 1400, 5}, {2001, 8000, 1}}
			if seed := near[f.name]; seed > 0 { // which finds it as often as goroutines come in that order: it has several tries
				batches[0].seed = seed
				batches = append(slices.Repeat(batches[:1], 8), batches[1:]...)
			}
			for _, batch := range batches {
				if found := search(t, binary, batch.seed, batch.schedules, batch.failures); found != "" {
					t.Logf("%s: %s", f.name, found)
					return
				}
			}
			t.Error("not found in 10,000 schedules")
		})
	}
	if !*plant {
		t.Log("they were only checked for their places in the code; -planted compiles and runs them")
	}
}

var (
	totals    = regexp.MustCompile(`(\d+) schedules, (\d+) failed`)
	failing   = regexp.MustCompile(`(?m)^ *seed (\d+):`)
	violation = regexp.MustCompile(`(?m)violation: (.*)$`)
)

// forever is longer than a batch of schedules takes on a slow machine.
const forever = 10 * time.Minute

// search runs schedules of a binary with a fault in it, and says how it was found; "": it was not.
func search(t *testing.T, binary string, seed, schedules, failures int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), forever)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.run", "^TestSchedules$", "-test.v", "-test.timeout", "0",
		"-seed", strconv.Itoa(seed), "-schedules", strconv.Itoa(schedules), "-failures", strconv.Itoa(failures))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return ""
	case ctx.Err() != nil: // slow, or a loop in which virtual time does not pass: nobody can tell
		t.Fatalf("%d schedules from seed %d did not end within %v", schedules, seed, forever)
	case !errors.As(err, &exit):
		t.Fatal(err)
	}
	first := "the run did not come to its end: " + string(bytes.SplitN(out[max(0, bytes.Index(out, []byte("panic:"))):], []byte("\n"), 2)[0])
	if v := violation.FindSubmatch(out); v != nil {
		first = string(v[1])
	}
	if s := failing.FindSubmatch(out); s != nil { // for a better seed to begin with
		first += " (seed " + string(s[1]) + ")"
	}
	if n := totals.FindSubmatch(out); n != nil {
		return "found in " + string(n[2]) + " of " + string(n[1]) + " schedules from seed " + strconv.Itoa(seed) + "; first: " + first
	}
	return "found from seed " + strconv.Itoa(seed) + ": " + first
}
