package consumer_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// An operator's day over HTTP, on a whole consumer: each command is carried out, one for a head that is gone is refused, and
// no answer shows what is in a record.
func TestOperatingOverHTTP(t *testing.T) {
	var handled []int64
	cfg := consumer.Config{
		Handler: func(_ context.Context, r *consumer.Record) error {
			if r.Offset == 1 && r.Attempt == 0 {
				return errors.New("no such customer")
			}
			handled = append(handled, r.Offset)
			return nil
		},
		Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("needs a human"))},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		h := consumer.HTTP{Ref: consumer.NewRef(k.System(), k.PID()), Allow: func(r *http.Request, _ messages.Command) (string, error) {
			user, _, ok := r.BasicAuth()
			if !ok {
				return "", errors.New("who are you?")
			}
			return user, nil
		}}
		ask := func(method, path, body string) (int, string) {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.SetBasicAuth("ann", "x")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("%s %s shows contents: %s", path, body, w.Body)
			}
			return w.Code, w.Body.String()
		}
		do := func(command, body string, code int, texts ...string) {
			t.Helper()
			got, answer := ask(http.MethodPost, "/do/"+command, body)
			for _, text := range texts {
				if !strings.Contains(answer, text) {
					t.Errorf("%s %s: %s has not %s", command, body, answer, text)
				}
			}
			if got != code {
				t.Errorf("%s %s: %d %s", command, body, got, answer)
			}
		}
		at := func(offset string) string { return `{"topic":"orders","partition":3,"offset":` + offset }
		p := k.Assign("orders", 3)
		for range 5 {
			p.AppendRecords(&messages.Record{Key: []byte("secret key"), Value: []byte("secret value")})
		}
		do("RetryHead", at("0")+"}", 409, `"head":1`, `"state":"Parked"`, "meant for offset 0, but the head is 1")
		do("RetryHead", `{"topic":"orders","partition":4,"offset":1}`, 409, `"partition":4`, `"head":-1`, "not owned")
		do("Pause", `{"topic":"orders"}`, 200, `"partitions":[{"partition":3,"head":1,"state":"Parked","changed":true}]`)
		do("RetryHead", at("1")+"}", 200, `"head":1,"state":"Paused"`, `"by":"ann"`)
		if code, body := ask(http.MethodGet, "/readyz", ""); code != 200 || !strings.Contains(body, "orders/3 is paused at offset 1 by ann since ") {
			t.Errorf("%d %s", code, body)
		}
		if code, body := ask(http.MethodGet, "/status", ""); code != 200 || !strings.Contains(body, `"state": "Paused"`) || !strings.Contains(body, `"pausedBy": "ann"`) || !strings.Contains(body, `"pauses": [`) {
			t.Errorf("%d %s", code, body)
		}
		do("SkipHead", at("1")+"}", 200, `"head":2`)
		do("DeadLetterHead", at("2")+`,"to":"orders.dlt"}`, 200, `"head":3`)
		do("ParkHead", at("3")+`,"reason":"not before Monday"}`, 200, `"state":"Parked"`)
		do("ParkHead", at("3")+"}", 409, "parked already: not before Monday (by ann)")
		do("Resume", `{"topic":"orders","partitions":[3]}`, 200, `"partitions":[{"partition":3,"head":3,"state":"Parked","changed":true}]`)
		do("RetryHead", at("3")+"}", 200)
		k.Advance(0)
		if len(handled) != 3 || handled[0] != 0 || handled[1] != 3 || handled[2] != 4 {
			t.Errorf("handled %v", handled)
		}
		if l := k.DeadLetters(); len(l) != 1 || l[0].By != "ann" {
			t.Errorf("dead letters %+v", l)
		}
	})
}
