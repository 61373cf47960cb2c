package supervisor_test

import (
	"context"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// The line of a failure says who ends the wait: nobody need do anything about a fence, somebody must about a park.
func TestAFailuresLineSaysWhoEndsTheWait(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		says  string
		ended bool // a second later
	}{
		{"fenced", messages.ErrFenced, "goes on by itself after 1s", true},
		{"parked", errBoom, "stands until RetryHead, SkipHead or DeadLetterHead", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &consumertest.Store{}
			cfg := saving(store, nil)
			failing := failOn(0, 1, consumertest.Fail(c.err))
			save := cfg.Handler
			cfg.Handler = func(ctx context.Context, r *messages.Record) error {
				if err := failing(ctx, r); err != nil {
					return err
				}
				return save(ctx, r)
			}
			cfg.Policy = always(supervisor.Park("somebody has to look"))
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				if !logged(k, "orders", c.says) {
					t.Errorf("no line says that it %s: %v", c.says, k.Logs())
				}
				k.Advance(time.Second)
				expect(t, "gone on", store.Next("orders", 0) == 1, c.ended)
			})
		})
	}
}
