package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// HTTP shows a consumer to probes and people. It is an http.Handler with three paths, GET and HEAD only:
//
//	/status  the *messages.Status as JSON
//	/livez   200 while the consumer lives; 503 when it is dead and only a new process helps
//	/readyz  200 while the consumer is a member of its group, does not drain, and nothing keeps it from its work (after a
//	         loss of what it owned it has to join anew; a coordinator that cannot be reached; a topic that does not exist or may
//	         not be read; a partition that could not be read for long); else 503
//
// The answers of the two probes name the reasons, a line each; a partition that backs off or is parked is named
// and does not make them fail, because no restart would help it. Nor does a handler that does not return, which no
// probe names yet: in /status its partition is Busy, with the time since when as openSince. Mount it anywhere with
// http.StripPrefix:
//
//	mux.Handle("/ottla/", http.StripPrefix("/ottla", consumer.HTTP{Ref: c.Ref}))
//
// It changes nothing and shows no contents of records; it authenticates nobody.
type HTTP struct {
	// Ref is the consumer that is asked.
	Ref interface {
		Status(ctx context.Context) (*messages.Status, error)
	}
}

// statusTimeout bounds one question. The answer is made of snapshots and takes well under a millisecond, so a
// consumer that needs this long does not live.
const statusTimeout = 5 * time.Second

// ServeHTTP implements http.Handler.
func (h HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, ok := map[string]func(http.ResponseWriter, *messages.Status){
		"status": writeStatus,
		"livez":  writeLive,
		"readyz": writeReady,
	}[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	status, err := h.ask(r.Context())
	if err != nil {
		http.Error(w, "no status: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer(w, status)
}

func (h HTTP) ask(ctx context.Context) (*messages.Status, error) {
	if h.Ref == nil {
		return nil, errors.New("consumer.HTTP has no Ref")
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	return h.Ref.Status(ctx)
}

func writeStatus(w http.ResponseWriter, s *messages.Status) {
	body, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		http.Error(w, "the status cannot be encoded: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a reader that has gone is no concern of ours
}

func writeLive(w http.ResponseWriter, s *messages.Status)  { writeProbe(w, s.Health.Live, "live", s) }
func writeReady(w http.ResponseWriter, s *messages.Status) { writeProbe(w, s.Health.Ready, "ready", s) }

func writeProbe(w http.ResponseWriter, good bool, name string, s *messages.Status) {
	lines := append([]string{name}, s.Health.Reasons...)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !good {
		lines[0] = "not " + name
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write([]byte(strings.Join(lines, "\n") + "\n"))
}
