package supervisor

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestPolicyExplain(t *testing.T) {
	tests := []struct {
		name   string
		policy Policy
		want   []string
	}{
		{"nil", nil, []string{
			"1. default (any failure): Retry after 10s, 1m40s, 16m40s, then 1h, for ever (after a panic, Retry is carried out as Restart)",
		}},
		{"empty", Policy{}, []string{
			"otherwise: Retry after 10s, 1m40s, 16m40s, then 1h, for ever (after a panic, Retry is carried out as Restart)",
		}},
		{"rules", Policy{
			On(Is(errors.New("unknown customer")), Park("customer is not known yet")),
			{Name: "crash", On: Panic(), Do: []Directive{Restart(Quick()).Times(3), Escalate().Times(1), Skip()}},
			On(Is(io.EOF), Retry(Every(time.Minute))),
		}, []string{
			`1. error is "unknown customer": Park "customer is not known yet"`,
			"2. crash (panic): Restart after 200ms, 400ms, 800ms, 1.6s, … up to 1m (full jitter), 3 times; then Escalate, once; then Skip",
			`3. error is "EOF": Retry after 1m, for ever`, // no panic comes as far as here
			"otherwise: Retry after 10s, 1m40s, 16m40s, then 1h, for ever",
		}},
		{"exhaustive", Policy{On(Any(), Retry(Every(0)).Times(1), Skip())}, []string{
			"1. any failure: Retry after 0s, once; then Skip (after a panic, Retry is carried out as Restart)",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := tt.policy.Explain(), strings.Join(tt.want, "\n")+"\n"; got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}
