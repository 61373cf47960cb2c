package consumer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
)

// A value that cannot be decoded is told of in the log, in events and over HTTP, and nowhere with what is in it.
func TestWhatCannotBeDecodedIsNotShown(t *testing.T) {
	for _, contents := range []bool{false, true} {
		handler := consumer.JSON(func(context.Context, *consumer.Record, struct{ Card int32 }) error { return nil })
		consumertest.Run(t, consumer.Config{Handler: handler, LogContents: contents}, func(t *testing.T, k *consumertest.Kit) {
			k.Assign("orders", 3).Append(`{"Card":4111111111111111}`)
			log := fmt.Sprint(k.Logs())
			if !strings.Contains(log, "cannot unmarshal number into") || strings.Contains(log, "4111") != contents {
				t.Errorf("LogContents %v: the log is %s", contents, log)
			}
			if events := fmt.Sprint(k.Events()); strings.Contains(events, "4111") {
				t.Errorf("the events are %s", events)
			}
			w := httptest.NewRecorder()
			consumer.HTTP{Ref: consumer.NewRef(k.System(), k.PID())}.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/status", nil))
			if body := w.Body.String(); !strings.Contains(body, "cannot unmarshal number into") || strings.Contains(body, "4111") {
				t.Errorf("the status is %s", body)
			}
		})
	}
}

// A handler that does not return fails no probe; /status shows its partition as stuck, and since when, and so does /readyz.
func TestAHandlerThatDoesNotReturnIsShownAsStuck(t *testing.T) {
	handler := func(context.Context, *consumer.Record) error { time.Sleep(2 * time.Hour); return nil }
	consumertest.Run(t, consumer.Config{Handler: handler}, func(t *testing.T, k *consumertest.Kit) {
		k.Assign("orders", 3).Append("x")
		get := func(path string) (code int, body string) {
			w := httptest.NewRecorder()
			consumer.HTTP{Ref: consumer.NewRef(k.System(), k.PID())}.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			return w.Code, w.Body.String()
		}
		_, _ = get("/status")
		since := time.Now().Format(time.RFC3339)
		k.Advance(time.Hour)
		for _, probe := range []string{"/livez", "/readyz"} {
			if code, body := get(probe); code != http.StatusOK {
				t.Errorf("%s: %d %s", probe, code, body)
			}
		}
		if _, body := get("/readyz"); !strings.Contains(body, "orders/3 is stuck at offset 0 since "+since) {
			t.Errorf("/readyz: %s", body)
		}
		if _, body := get("/status"); !strings.Contains(body, `"state": "Stuck"`) || !strings.Contains(body, `"openSince": "`+since) {
			t.Errorf("the status is %s, want Stuck since %s", body, since)
		}
	})
}
