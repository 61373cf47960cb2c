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

// HTTP shows a consumer to probes and people, and takes their commands. It is an http.Handler with three paths for GET and
// HEAD:
//
//	/status  the *messages.Status as JSON
//	/livez   200 while the consumer lives; 503 when it is dead and only a new process helps
//	/readyz  200 while the consumer is a member of its group, does not drain, and nothing keeps it from its work (after a
//	         loss of what it owned it has to join anew; a coordinator that cannot be reached; a topic that does not exist or may
//	         not be read; a partition that could not be read for long); else 503
//
// The answers of the two probes name the reasons, a line each; a partition that backs off or is parked is named
// and does not make them fail, because no restart would help it. Nor does a handler that does not return: after StuckAfter it is
// named, and in /status its partition is Stuck, with the time since when as openSince. Mount it anywhere with http.StripPrefix:
//
//	mux.Handle("/ottla/", http.StripPrefix("/ottla", consumer.HTTP{Ref: c.Ref}))
//
// With Allow, and without it not at all, POST /do/{command} carries out a command: RetryHead, SkipHead, DeadLetterHead,
// ParkHead, Pause or Resume. The body is a JSON object of the command's fields, topic, partition, offset, to, reason and
// partitions, of at most 64 KiB; its content type has to be application/json. The answer is JSON, too: what was done, the head
// and the state afterwards, or an error. The codes:
//
//	200  done
//	400  the body is not what the command takes: a field is unknown, missing, said twice, or not what it can be
//	403  Allow is nil, or has refused; or another site's page has made a browser ask
//	404  there is no such command
//	405  not POST
//	409  refused or failed: the head is another one by now, the partition is not owned here, a dead letter could not be written
//	413  the body is too long
//	415  the content type is another one
//	503  the consumer does not run
//	504  there is no answer after 75 s; the command may be carried out yet
//
// No answer shows a key or a value of a record. The text of an error, a handler's for example, is shown as it is logged. HTTP
// itself authenticates nobody: who may ask for the status is for the handlers around it, and who may command for Allow.
type HTTP struct {
	// Ref is the consumer that is asked.
	Ref interface {
		Status(ctx context.Context) (*messages.Status, error)
		Do(ctx context.Context, cmd messages.Command) (*messages.Result, error)
	}
	// Allow says whether a request may carry out a command, and who asks: the name goes to the log, to events and to the
	// status. An error, whose text the asker is shown, refuses, and so does a name that is empty, longer than 1,000 bytes, or
	// has control characters. The command is complete but for its By. Nil: there are no commands. It is called from many
	// goroutines at once.
	Allow func(r *http.Request, cmd messages.Command) (by string, err error)
}

// statusTimeout bounds one question. The answer is made of snapshots and takes well under a millisecond, so a
// consumer that needs this long does not live.
const statusTimeout = 5 * time.Second

// ServeHTTP implements http.Handler.
func (h HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if name, ok := strings.CutPrefix(path, "do/"); ok {
		h.command(w, r, name)
		return
	}
	answer, ok := map[string]func(http.ResponseWriter, *messages.Status){
		"status": writeStatus,
		"livez":  writeLive,
		"readyz": writeReady,
	}[path]
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
