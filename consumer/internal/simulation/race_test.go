//go:build race

package simulation

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// byDefault: none. The race detector itself fails in some of these bubbles (Go 1.26.8 on linux/amd64: a failed check of
// tsan_rtl.cpp, or a segmentation violation, in the runtime's synctest.Run while it runs a bubble's timers; golang/go#78156),
// and takes the process with it. So they run in processes of their own: TestSchedulesInProcesses.
const byDefault = 0

var raced = flag.Int("raced", 0, "how many schedules are simulated under the race detector, in processes of their own")

// portion is how many schedules a process runs.
const portion = 25

// broken is what the detector prints when it fails itself, and not what it looks at.
var (
	broken = regexp.MustCompile(`(?m)^ThreadSanitizer: CHECK failed|internal/synctest\.Run|runtime\.synctestRun`)
	wrong  = regexp.MustCompile(`(?m)WARNING: DATA RACE|^ *violation: |^ *--- FAIL|test timed out`)
)

// TestSchedulesInProcesses runs schedules under the race detector. A process in which nothing but the detector itself has
// failed is counted, and the next seeds are run in its place; there may be one such process to two others.
//
//	go test -race ./consumer/internal/simulation -run Processes -raced 500 -v
func TestSchedulesInProcesses(t *testing.T) {
	if *raced == 0 {
		t.Skip("not by default: -raced N runs them")
	}
	began, seed, done, failed := time.Now(), *first, 0, 0
	for done < *raced {
		n := min(portion, *raced-done)
		out, err := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestSchedules$", "-test.v", "-test.timeout", "10m", //nolint:gosec // ourselves
			"-schedules", strconv.Itoa(n), "-seed", strconv.FormatUint(seed, 10)).CombinedOutput()
		seed += uint64(n)
		var exit *exec.ExitError
		switch {
		case err == nil:
			done += n
			continue
		case !errors.As(err, &exit), !broken.Match(out), wrong.Match(out):
			t.Fatalf("%v after seed %d\n%s", err, seed-uint64(n), out)
		}
		t.Logf("the race detector itself failed: %s", bytes.SplitN(broken.Find(out), []byte("\n"), 2)[0])
		if failed++; failed > 1+*raced/portion/2 {
			t.Fatalf("it did so in %d processes; %d schedules were run", failed, done)
		}
	}
	t.Logf("%d schedules under the race detector, in %.1f s; the detector itself failed in %d other processes (golang/go#78156)",
		done, time.Since(began).Seconds(), failed)
}
