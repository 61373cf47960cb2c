package docs

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// obliging is a consumer that does whatever it is told.
type obliging struct{ silent }

// Do tells where the partition stands.
func (obliging) Do(_ context.Context, cmd messages.Command) (*messages.Result, error) {
	return &messages.Result{Head: messages.Target(cmd)}, nil
}

// TestDocsOperations: each command line of the guide is a command that is taken, and each command has one; the answer that is
// shown has the fields of a real one.
func TestDocsOperations(t *testing.T) {
	text, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	handler := http.StripPrefix("/ottla", consumer.HTTP{Ref: obliging{}, Allow: func(r *http.Request, _ messages.Command) (string, error) {
		name, _, _ := r.BasicAuth()
		return name, nil
	}})
	line := regexp.MustCompile(`(?m)^curl -u "(\w+):\S+" -H '([\w-]+): (\S+)' \w+:\d+(/ottla/do/(\w+)) -d '(.*)'$`)
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, m[4], strings.NewReader(m[6])) // what curl makes of -d
		r.SetBasicAuth(m[1], "x")
		r.Header.Set(m[2], m[3])
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", m[0], w.Code, w.Body)
		}
		given[m[5]] = true
	}
	if n := strings.Count(string(text), "\ncurl -u"); len(line.FindAllString(string(text), -1)) != n {
		t.Errorf("of %d command lines only some are read", n)
	}
	_, table, _ := strings.Cut(string(text), "\n## Saying something\n")
	named := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(table, -1)
	if len(named) != 6 || len(given) != 6 {
		t.Errorf("%d commands are named, %d are given, of 6", len(named), len(given))
	}
	for _, m := range named {
		if !given[m[1]] {
			t.Errorf("%s has no command line", m[1])
		}
	}
	_, shown, _ := strings.Cut(string(text), "```json\n")
	shown, _, _ = strings.Cut(shown, "```")
	var fields map[string]any
	if err := json.Unmarshal([]byte(shown), &fields); err != nil {
		t.Fatal(err)
	}
	if len(fields) != 7 || fields["by"] != "ann" || fields["head"] != 1043.0 || fields["state"] != messages.StateBusy.String() {
		t.Errorf("the answer that is shown: %v", fields)
	}
}
