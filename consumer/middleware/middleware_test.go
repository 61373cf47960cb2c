package middleware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

var errBoom = errors.New("boom")

func record(key string, headers ...messages.Header) *consumer.Record {
	r := &consumer.Record{Topic: "orders", Headers: headers}
	if key != "" {
		r.Key = []byte(key)
	}
	return r
}

func TestChain(t *testing.T) {
	var said []string
	say := func(name string) Middleware {
		return func(next consumer.Handler) consumer.Handler {
			return func(ctx context.Context, rec *consumer.Record) error {
				said = append(said, name)
				defer func() { said = append(said, name+" ends") }()
				return next(ctx, rec)
			}
		}
	}
	h := func(context.Context, *consumer.Record) error { said = append(said, "handler"); return errBoom }
	if err := Chain(h, say("a"), say("b"))(t.Context(), record("")); !errors.Is(err, errBoom) {
		t.Error(err)
	}
	if want := []string{"a", "b", "handler", "b ends", "a ends"}; !slices.Equal(said, want) {
		t.Errorf("%v, want %v", said, want)
	}
}

func TestTiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said string
		timed := Timing(func(rec *consumer.Record, took time.Duration, err error, panicked bool) {
			said = fmt.Sprint(rec, " ", took, " ", err, " ", panicked)
		})
		handle := func(end func() error) {
			defer func() { _ = recover() }()
			_ = timed(func(context.Context, *consumer.Record) error { time.Sleep(time.Second); return end() })(t.Context(), record(""))
		}
		for want, end := range map[string]func() error{
			"orders/0@0 1s <nil> false": func() error { return nil },
			"orders/0@0 1s boom false":  func() error { return errBoom },
			"orders/0@0 1s <nil> true":  func() error { panic("x") },
		} {
			if handle(end); said != want {
				t.Errorf("%s, want %s", said, want)
			}
		}
	})
}

// A panic is not turned into an error by any of them.
func TestAPanicPasses(t *testing.T) {
	defer func() {
		if r := recover(); r != "x" {
			t.Errorf("recovered %v", r)
		}
	}()
	h := Chain(func(context.Context, *consumer.Record) error { panic("x") },
		Timing(func(*consumer.Record, time.Duration, error, bool) {}), RequestID(), Trace(nil), Dedup(1, ByKey))
	_ = h(t.Context(), record("k"))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRequestIDGoesOut(t *testing.T) {
	var got string
	client := http.Client{Transport: Transport{Base: roundTripper(func(r *http.Request) (*http.Response, error) {
		got = r.Header.Get("X-Request-ID")
		return &http.Response{StatusCode: http.StatusNoContent, Body: io.NopCloser(strings.NewReader(""))}, nil
	})}}
	call := func(ctx context.Context, own string) {
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/", nil)
		if own != "" {
			r.Header.Set("X-Request-ID", own)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if r.Header.Get("X-Request-ID") != own {
			t.Error("the request was changed")
		}
	}
	rec := record("")
	h := RequestID()(func(ctx context.Context, rec *consumer.Record) error {
		if RequestIDOf(ctx) != rec.RequestID() || rec.RequestID() == "" {
			t.Errorf("%q in the context, %q of the record", RequestIDOf(ctx), rec.RequestID())
		}
		call(ctx, "")
		if got != rec.RequestID() {
			t.Errorf("sent %q, want %q", got, rec.RequestID())
		}
		call(ctx, "own")
		if got != "own" {
			t.Errorf("sent %q, want the request's own", got)
		}
		return nil
	})
	if err := h(t.Context(), rec); err != nil {
		t.Error(err)
	}
	bad := record("")
	bad.Headers = []messages.Header{{Key: "request-id", Value: []byte("a\nb")}}
	if err := RequestID()(func(ctx context.Context, _ *consumer.Record) error { call(ctx, ""); return nil })(t.Context(), bad); err != nil || strings.Contains(got, "a") {
		t.Errorf("an id that is no header's value: sent %q, %v", got, err)
	}
	if call(t.Context(), ""); got != "" {
		t.Errorf("sent %q from nowhere", got)
	}
}

func TestTrace(t *testing.T) {
	before := otel.GetTextMapPropagator()
	defer otel.SetTextMapPropagator(before)
	parent := messages.Header{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}
	for _, p := range []propagation.TextMapPropagator{propagation.TraceContext{}, nil} {
		if p == nil {
			otel.SetTextMapPropagator(propagation.TraceContext{})
		}
		h := Trace(p)(func(ctx context.Context, _ *consumer.Record) error {
			if id := trace.SpanContextFromContext(ctx).TraceID().String(); id != "0af7651916cd43dd8448eb211c80319c" {
				t.Errorf("trace %s", id)
			}
			return nil
		})
		if err := h(t.Context(), record("", parent)); err != nil {
			t.Error(err)
		}
	}
}

func TestDedup(t *testing.T) {
	handled := map[string]int{}
	var outcome error
	h := Dedup(2, ByKey)(func(_ context.Context, rec *consumer.Record) error { handled[string(rec.Key)]++; return outcome })
	handle := func(keys ...string) {
		for _, k := range keys {
			_ = h(t.Context(), record(k))
		}
	}
	handle("a", "a", "b", "a")
	outcome = errBoom
	handle("c") // it failed: its next attempt is handled
	outcome = nil
	handle("c", "c") // and now a is one too many
	handle("a")
	handle("", "")
	if want := fmt.Sprint(map[string]int{"a": 2, "b": 1, "c": 2, "": 2}); fmt.Sprint(handled) != want {
		t.Errorf("%v, want %s", handled, want)
	}
}

func TestDedupByHeader(t *testing.T) {
	n := 0
	h := Dedup(0, ByHeader("id"))(func(context.Context, *consumer.Record) error { n++; return nil })
	for _, id := range []string{"1", "1", "2"} {
		_ = h(t.Context(), record("", messages.Header{Key: "id", Value: []byte(id)}))
	}
	_ = h(t.Context(), record(""))
	other := record("", messages.Header{Key: "id", Value: []byte("2")})
	other.Topic = "payments"
	_ = h(t.Context(), other)
	if n != 4 {
		t.Errorf("%d were handled", n)
	}
}

// Against a twin that keeps a slice: it knows the last n keys that were added, each once.
func TestTheWindowIsItsTwin(t *testing.T) {
	for seed := range int64(300) {
		r := rand.New(rand.NewSource(seed))
		n := 1 + r.Intn(5)
		w := newWindow(n)
		var twin []string
		for range 60 {
			k := string(rune('a' + r.Intn(8)))
			if w.has(k) != slices.Contains(twin, k) {
				t.Fatalf("seed %d: has %s is %v, the twin has %v", seed, k, w.has(k), twin)
			}
			w.add(k)
			if !slices.Contains(twin, k) {
				twin = append(twin, k)
				twin = twin[max(0, len(twin)-n):]
			}
			if len(w.keys) != len(twin) || len(w.ring) != len(twin) {
				t.Fatalf("seed %d: %d keys, the twin has %d", seed, len(w.keys), len(twin))
			}
		}
	}
}
