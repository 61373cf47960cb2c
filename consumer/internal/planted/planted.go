// Package planted compiles faults into tests, to show that the tests find them. None of it is in the product: a fault is
// a text in the place of another one, compiled in the place of the real file (go build -overlay).
package planted

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Edit is a file, from the folder of the test, a text that stands in it exactly once, and what stands in its place.
type Edit [3]string

// Overlay writes the files as the edits have them, and answers the name of what go build wants to know. An edit whose
// text does not stand in its file exactly once fails the test: the fault cannot be planted any more.
func Overlay(t testing.TB, edits []Edit) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for i, e := range edits {
		file, old, by := e[0], e[1], e[2]
		path, err := filepath.Abs(file)
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
		if n := strings.Count(string(text), old); n != 1 {
			t.Fatalf("%s has this %d times, want once:\n%s", file, n, old)
		}
		to := filepath.Join(dir, strconv.Itoa(i)+".go")
		if err := os.WriteFile(to, []byte(strings.Replace(string(text), old, by, 1)), 0o600); err != nil { //nolint:gosec // into a temporary folder of the test
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

// Compile makes the test binary of the package whose test this is, with an Overlay, and answers where it is. It has no
// symbols for a debugger: without, it is linked in two thirds of the time; our own packages are neither vetted nor optimised: that
// takes a third off, and a search that is a quarter slower costs less.
func Compile(t testing.TB, overlay string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "planted.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-gcflags=github.com/ottla-go/ottla/...=-N -l", //nolint:gosec // go, on a file of ours
		"-overlay", overlay, "-ldflags", "-s -w", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}
