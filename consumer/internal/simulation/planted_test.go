package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// planted is a fault that somebody might build in one day: a defence that is taken away. None of it is in the product;
// it is compiled in the place of the real file (go build -overlay).
type planted struct {
	name  string
	edits []edit
}

// edit replaces a text that stands in the file exactly once.
type edit struct{ file, old, by string }

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
			overlay := f.overlay(t) // always: a fault that cannot be planted any more is found here
			if !*plant {
				return
			}
			t.Parallel()
			binary := filepath.Join(t.TempDir(), "simulation.test")
			if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, batch := range []struct{ seed, schedules, failures int }{{1, 60, 60}, {61, 540, 5}, {601, 1400, 5}, {2001, 8000, 1}} {
				if found := f.search(t, binary, batch.seed, batch.schedules, batch.failures); found != "" {
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

// overlay writes the files as the fault has them, and answers what go build wants to know.
func (f planted) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for i, e := range f.edits {
		path, err := filepath.Abs(filepath.Join("..", "..", "..", e.file))
		if err != nil {
			t.Fatal(err)
		}
		from := path
		if earlier := replace[path]; earlier != "" {
			from = earlier
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), e.old); n != 1 {
			t.Fatalf("%s has this %d times, want once:\n%s", e.file, n, e.old)
		}
		to := filepath.Join(dir, strconv.Itoa(i)+".go")
		if err := os.WriteFile(to, []byte(strings.Replace(string(text), e.old, e.by, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[path] = to
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

var (
	totals    = regexp.MustCompile(`(\d+) schedules, (\d+) failed`)
	violation = regexp.MustCompile(`(?m)violation: (.*)$`)
)

// forever is longer than a batch of schedules takes on a slow machine.
const forever = 10 * time.Minute

// search runs schedules of a binary with a fault in it, and says how it was found; "": it was not.
func (f planted) search(t *testing.T, binary string, seed, schedules, failures int) string {
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
	if n := totals.FindSubmatch(out); n != nil {
		return "found in " + string(n[2]) + " of " + string(n[1]) + " schedules from seed " + strconv.Itoa(seed) + "; first: " + first
	}
	return "found from seed " + strconv.Itoa(seed) + ": " + first
}
