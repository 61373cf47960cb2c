package consumer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// handlerOf is a handler that answers who it is.
func handlerOf(name string) Handler {
	return func(context.Context, *Record) error { return errors.New(name) }
}

func TestTopicInheritsWhatIsZero(t *testing.T) {
	parks := supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("x"))}
	assigned := func(context.Context, messages.Claim) error { return nil }
	c := good()
	c.Handler, c.Policy, c.Hooks.Assigned = handlerOf("config"), parks, assigned
	c.HandlerTimeout, c.Limit = time.Minute, Limit{PerSecond: 7, Burst: 3}
	c.PerTopic = map[string]Topic{
		"none":  {},
		"actor": {Actor: producer},
		"all": {
			Handler: handlerOf("topic"), Hooks: Hooks{Lost: func(messages.Lost) {}}, Policy: supervisor.Policy{},
			HandlerTimeout: time.Hour, StuckAfter: time.Second, Limit: Limit{PerSecond: 9},
		},
	}
	c = c.WithDefaults()
	for _, name := range []string{"orders", "none"} { // without an entry, and with an empty one
		got := c.topic(name)
		if got.Handler == nil || got.Handler(t.Context(), nil).Error() != "config" || got.Actor != nil || got.Hooks.Assigned == nil || len(got.Policy) != 1 ||
			got.HandlerTimeout != time.Minute || got.StuckAfter != 5*time.Minute || got.Limit != (Limit{PerSecond: 7, Burst: 3}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := c.topic("actor"); got.Handler != nil || got.Actor == nil || len(got.Policy) != 1 {
		t.Errorf("an actor of its own: %+v", got)
	}
	got := c.topic("all")
	if got.Handler(t.Context(), nil).Error() != "topic" || got.Hooks.Assigned != nil || got.Hooks.Lost == nil || got.Policy == nil || len(got.Policy) != 0 ||
		got.HandlerTimeout != time.Hour || got.StuckAfter != time.Second || got.Limit != (Limit{PerSecond: 9}) {
		t.Errorf("all of its own: %+v", got)
	}
	set := settings(c)
	if h := set.For("all"); h.Rate.PerSecond != 9 || h.Rate.Burst != 1 || h.StuckAfter != time.Second || h.Hooks.Lost == nil {
		t.Errorf("the settings of all: %+v", h)
	}
	if h := set.For("orders"); h.Rate.PerSecond != 7 || h.Handler == nil || len(h.Policy) != 1 || h != &set.Handling {
		t.Errorf("the settings of orders: %+v", h)
	}
	if want := []string{"orders", "actor", "all", "none"}; !slices.Equal(set.Topics, want) {
		t.Errorf("subscribes to %q, want %q", set.Topics, want)
	}
}

// The map is the caller's: what he does to it after New is not seen. A topic of both is consumed once.
func TestPerTopicIsReadOnce(t *testing.T) {
	c := good()
	c.PerTopic = map[string]Topic{"payments": {}, "orders": {}}
	full := c.WithDefaults()
	c.PerTopic["refunds"] = Topic{}
	if got := full.subscribed(); !slices.Equal(got, []string{"orders", "payments"}) {
		t.Errorf("subscribes to %q", got)
	}
}

// The log tells every table in use, with its topic, and the Config's only where a topic inherits it.
func TestPoliciesAreExplained(t *testing.T) {
	c := good()
	c.Policy = supervisor.Policy{supervisor.On(supervisor.Panic(), supervisor.Park("x")), supervisor.On(supervisor.Any(), supervisor.Skip())}
	c.PerTopic = map[string]Topic{"refunds": {Policy: supervisor.Policy{}}, "payments": {Policy: deadLetters("payments.dlt")}, "rest": {}}
	var out strings.Builder
	c.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))
	const of, payments = `msg="failure policy" `, `msg="failure policy" topic=payments `
	c.explain()
	want := of + `rule="1. panic: Park \"x\""` + "\n" +
		of + `rule="2. any failure: Skip"` + "\n" +
		payments + `rule="1. any failure: DeadLetter to payments.dlt"` + "\n" +
		payments + `rule="a dead letter that cannot be written: Retry after 10s, 1m40s, 16m40s, then 1h, for ever"` + "\n" +
		of + "topic=refunds " + `rule="otherwise: Retry after 10s, 1m40s, 16m40s, then 1h, for ever (after a panic, Retry is carried out as Restart)"` + "\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
	if got := c.targets(); !slices.Equal(got, []string{"payments.dlt"}) {
		t.Errorf("looks for the topics %q", got)
	}

	out.Reset()
	c.Topics, c.Policy, c.PerTopic = nil, deadLetters("unused.dlt"), map[string]Topic{"refunds": {Policy: deadLetters("refunds.dlt")}}
	c.explain()
	if strings.Contains(out.String(), "unused.dlt") || !slices.Equal(c.targets(), []string{"refunds.dlt"}) {
		t.Errorf("no topic inherits, and %q is looked for; the log is\n%s", c.targets(), &out)
	}
}
