package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ottla-go/ottla/messages"
)

type askee func(context.Context) (*messages.Status, error)

func (a askee) Status(ctx context.Context) (*messages.Status, error) { return a(ctx) }

func (a askee) Do(context.Context, messages.Command) (*messages.Result, error) {
	return nil, errors.New("no command was expected")
}

func TestHTTP(t *testing.T) {
	healthy := messages.Health{Live: true, Ready: true, Reasons: []string{"orders/3 is parked"}}
	joining := messages.Health{Live: true, Reasons: []string{"not yet a member of the group", "no coordinator"}}
	dead := messages.Health{Reasons: []string{"escalated"}}
	tests := []struct {
		method, path string
		health       messages.Health
		code         int
		body         string
	}{
		{"GET", "/livez", healthy, 200, "live\norders/3 is parked\n"},
		{"GET", "/readyz", healthy, 200, "ready\norders/3 is parked\n"},
		{"GET", "/livez", joining, 200, "live\nnot yet a member of the group\nno coordinator\n"},
		{"GET", "/readyz", joining, 503, "not ready\nnot yet a member of the group\nno coordinator\n"},
		{"GET", "/livez", dead, 503, "not live\nescalated\n"},
		{"GET", "/readyz", dead, 503, "not ready\nescalated\n"},
		{"HEAD", "/readyz", dead, 503, ""},
		{"HEAD", "/status", dead, 200, ""},
		{"GET", "readyz", healthy, 200, "ready\norders/3 is parked\n"}, // as http.StripPrefix("/ottla/", …) leaves it
		{"POST", "/status", healthy, 405, "only GET and HEAD\n"},
		{"DELETE", "/livez", healthy, 405, "only GET and HEAD\n"},
		{"GET", "/", healthy, 404, "404 page not found\n"},
		{"GET", "/status/", healthy, 404, "404 page not found\n"},
		{"POST", "/do", healthy, 404, "404 page not found\n"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			h := HTTP{Ref: askee(func(ctx context.Context) (*messages.Status, error) {
				if _, ok := ctx.Deadline(); !ok {
					t.Error("a question without a deadline")
				}
				return &messages.Status{Group: "g", Health: tt.health}, nil
			})}
			w := httptest.NewRecorder()
			r := httptest.NewRequest(tt.method, "/", nil)
			r.URL.Path = tt.path
			h.ServeHTTP(w, r)
			if w.Code != tt.code {
				t.Errorf("code %d, want %d", w.Code, tt.code)
			}
			if tt.method != "HEAD" && w.Body.String() != tt.body {
				t.Errorf("body %q, want %q", w.Body, tt.body)
			}
			if allow := w.Header().Get("Allow"); (tt.code == 405) != (allow == "GET, HEAD") {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

func TestHTTPStatusIsTheStatusAsJSON(t *testing.T) {
	status := &messages.Status{
		Group: "billing", Health: messages.Health{Live: true},
		Partitions: []messages.PartitionStatus{{
			Claim: messages.Claim{Topic: "orders", Partition: 3}, State: messages.StateParked, Head: 1042, Reason: "letters",
			Failure: &messages.Failure{Topic: "orders", Key: []byte("secret key"), Class: messages.ClassPanic, Err: errors.New("x")},
		}},
	}
	mux := http.NewServeMux()
	mux.Handle("/ottla/", http.StripPrefix("/ottla", HTTP{Ref: askee(func(context.Context) (*messages.Status, error) { return status, nil })}))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ottla/status", nil))
	if got := w.Header().Get("Content-Type"); w.Code != 200 || got != "application/json" {
		t.Errorf("%d %s", w.Code, got)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %q", got)
	}
	var got struct {
		Group      string
		Partitions []struct {
			State string
			Head  int64
			Claim struct{ Topic string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Group != "billing" || len(got.Partitions) != 1 || got.Partitions[0].State != "Parked" || got.Partitions[0].Head != 1042 || got.Partitions[0].Claim.Topic != "orders" {
		t.Errorf("got %+v", got)
	}
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("shows contents: %s", w.Body)
	}
}

func TestHTTPOfADeadConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := askee(func(ctx context.Context) (*messages.Status, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		for name, h := range map[string]HTTP{"silent": {Ref: silent}, "no Ref": {}} {
			for _, path := range []string{"/status", "/livez", "/readyz"} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				if w.Code != 503 || !strings.HasPrefix(w.Body.String(), "no status: ") {
					t.Errorf("%s %s: %d %q", name, path, w.Code, w.Body)
				}
			}
		}
	})
}
