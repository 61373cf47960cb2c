package docs

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
)

// manifests are the YAML blocks of kubernetes.md, one behind the other.
func manifests(t *testing.T) (guide, yaml string) {
	t.Helper()
	text, err := os.ReadFile("kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)\n```$").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 3 {
		t.Fatalf("%d manifests were found", len(blocks))
	}
	for _, b := range blocks {
		yaml += b[1] + "\n---\n"
	}
	return string(text), yaml
}

// all are what the first group of a pattern finds, at least n times.
func all(t *testing.T, text, pattern string, n int) (found []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	if len(found) < n {
		t.Fatalf("%s: found %v, want %d or more", pattern, found, n)
	}
	return found
}

// count reads a number.
func count(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// longestDrain is what a drain takes with the defaults where a handler does not return and the group does not answer.
func longestDrain(t *testing.T) (took time.Duration) {
	t.Helper()
	cfg := consumer.Config{Handler: consumertest.Script(consumertest.Block())}
	consumertest.Run(t, cfg, func(_ *testing.T, k *consumertest.Kit) {
		k.LeaveTakes(time.Hour, nil)
		k.Assign("orders", 0).Append("a")
		began := k.Now()
		_ = k.Drain() // it was not clean
		took = k.Now() - began
	})
	return took
}

// TestDocsKubernetesGrace: the grace periods are longer than the longest drain, whose time is the one that the guides say.
func TestDocsKubernetesGrace(t *testing.T) {
	guide, yaml := manifests(t)
	drain := longestDrain(t)
	for _, seconds := range all(t, yaml, `terminationGracePeriodSeconds: (\d+)`, 1) {
		if grace := time.Duration(count(t, seconds)) * time.Second; grace < drain+10*time.Second {
			t.Errorf("a grace period of %v, and a drain may take %v", grace, drain)
		}
	}
	if said := all(t, guide, `\*\*together\*\* \| \*\*(\d+) s\*\*`, 1)[0]; said != strconv.Itoa(int(drain.Seconds())) {
		t.Errorf("a drain is said to take %s s, and may take %v", said, drain)
	}
	sum := 0
	for _, part := range all(t, guide, `(?m)^\| .* \| (\d+) s \|`, 3) {
		sum += count(t, part)
	}
	if sum != int(drain.Seconds()) {
		t.Errorf("the parts of a drain are %d s, and all of it is %v", sum, drain)
	}
}

// silent is a consumer that does not answer.
type silent struct{}

// Status is HTTP's question.
func (silent) Status(ctx context.Context) (*messages.Status, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Do is never asked.
func (silent) Do(context.Context, messages.Command) (*messages.Result, error) {
	return nil, consumer.ErrNotRunning
}

// TestDocsKubernetesProbes: the paths of the probes exist, and they wait until a consumer that does not answer is given up.
func TestDocsKubernetesProbes(t *testing.T) {
	guide, yaml := manifests(t)
	var patience time.Duration
	synctest.Test(t, func(t *testing.T) {
		handler := http.StripPrefix("/ottla", consumer.HTTP{Ref: silent{}})
		for _, path := range all(t, yaml, `path: (\S+),`, 2) {
			began, w := time.Now(), httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
			if w.Code != http.StatusServiceUnavailable {
				t.Errorf("%s answers %d for a consumer that does not", path, w.Code)
			}
			patience = max(patience, time.Since(began))
		}
	})
	for _, seconds := range all(t, yaml, `timeoutSeconds: (\d+)`, 2) {
		if timeout := time.Duration(count(t, seconds)) * time.Second; timeout <= patience {
			t.Errorf("a probe waits for %v, and an answer may take %v", timeout, patience)
		}
	}
	for _, said := range all(t, guide, `(?:within|than the) (\d+) s`, 2) {
		if count(t, said) != int(patience.Seconds()) {
			t.Errorf("a consumer is said to answer within %s s, and is given up after %v", said, patience)
		}
	}
}

// TestDocsKubernetesMemory: the bounds are those of the code, and the container holds them.
func TestDocsKubernetesMemory(t *testing.T) {
	guide, yaml := manifests(t)
	c := consumer.Config{}.WithDefaults()
	total, fetched := c.Backlog.TotalBytes>>20, 3*c.Fetch.Connections*c.Fetch.MaxBytes>>20
	for _, want := range []string{
		"`Backlog.TotalBytes` = " + strconv.Itoa(total) + " MiB | " + strconv.Itoa(total) + " MiB |",
		"`Fetch.MaxBytes` = " + strconv.Itoa(c.Fetch.MaxBytes>>20) + " MiB",
		"`Fetch.Connections` = " + strconv.Itoa(c.Fetch.Connections) + " for each broker | " + strconv.Itoa(fetched) + " MiB",
	} {
		if !strings.Contains(guide, want) {
			t.Errorf("the guide does not say: %s", want)
		}
	}
	limit := count(t, all(t, yaml, `limits: \{memory: (\d+)Gi\}`, 1)[0]) << 10
	soft := count(t, all(t, yaml, `value: (\d+)MiB`, 1)[0])
	if soft >= limit || soft < total+fetched {
		t.Errorf("GOMEMLIMIT is %d MiB, the container has %d, and the bounds come to %d", soft, limit, total+fetched)
	}
}

// TestDocsKubernetesManifests: what is set is read, and the blocks are written as YAML is.
func TestDocsKubernetesManifests(t *testing.T) {
	guide, yaml := manifests(t)
	known := variables(t)
	for _, name := range all(t, yaml, `name: (KAFKA_\w+)`, 4) {
		if !slices.Contains(known, name) {
			t.Errorf("%s is set, and nobody reads it", name)
		}
	}
	if name := all(t, guide, `os\.Getenv\("(\w+)"\)`, 1)[0]; !strings.Contains(yaml, "name: "+name+"\n") {
		t.Errorf("%s is read, and nobody sets it", name)
	}
	for n, line := range strings.Split(yaml, "\n") {
		text := strings.TrimLeft(line, " ")
		switch {
		case strings.Contains(line, "\t"), (len(line)-len(text))%2 != 0, strings.Count(line, "{") != strings.Count(line, "}"):
			t.Errorf("line %d of the manifests is no YAML: %q", n+1, line)
		case text != "" && text != "---" && !regexp.MustCompile(`^(- )?(\{.*\}|[\w.]+:( .+)?)$`).MatchString(text):
			t.Errorf("line %d of the manifests is no YAML that is used here: %q", n+1, line)
		}
	}
}
