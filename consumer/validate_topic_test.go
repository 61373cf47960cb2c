package consumer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// One more topic, payments, beside the orders of a good Config.
func TestValidatePerTopic(t *testing.T) {
	handler := handlerOf("x")
	hooks := Hooks{Revoked: func(messages.Revoked) {}}
	on := func(m supervisor.Matcher) supervisor.Policy {
		return supervisor.Policy{supervisor.On(m, supervisor.Park("x"))}
	}
	payments := func(of Topic) func(*Config) {
		return func(c *Config) { c.PerTopic = map[string]Topic{"payments": of} }
	}
	// alone has no Handler for anybody else.
	alone := func(of Topic) func(*Config) {
		return func(c *Config) { c.Topics, c.Handler, c.PerTopic = nil, nil, map[string]Topic{"payments": of} }
	}
	tests := []struct {
		name   string
		change func(*Config)
		want   []string // parts of the one fault; none: valid
	}{
		{"inherits all", payments(Topic{}), nil},
		{"in Topics, too", func(c *Config) { c.PerTopic = map[string]Topic{"orders": {Handler: handler}} }, nil},
		{"no topics but its keys", alone(Topic{Handler: handler}), nil},
		{"an actor for one", payments(Topic{Actor: producer}), nil},
		{"a handler beside an actor for the rest", func(c *Config) {
			c.Handler, c.Actor, c.PerTopic = nil, producer, map[string]Topic{"payments": {Handler: handler}}
		}, nil},

		{"empty name", func(c *Config) { c.PerTopic = map[string]Topic{"": {}} }, []string{`Config.PerTopic = "":`, "no topic can have this name", "use 1 to 249"}},
		{"pattern", func(c *Config) { c.PerTopic = map[string]Topic{"pay*": {}} }, []string{`Config.PerTopic = "pay*":`, "patterns are not supported"}},
		{"neither Topics nor PerTopic", func(c *Config) { c.Topics, c.PerTopic = nil, map[string]Topic{} }, []string{"Config.Topics = []", "name at least one topic, here or in PerTopic"}},
		{"handler and actor", payments(Topic{Handler: handler, Actor: producer}), []string{`Config.PerTopic["payments"].Handler`, "Actor is given too", "remove one"}},
		{"no handler for one", alone(Topic{}), []string{"Config.Handler = nil", `nobody handles the records of ["payments"]`, "here or in PerTopic"}},
		{"no handler for some", func(c *Config) {
			c.Handler, c.PerTopic = nil, map[string]Topic{"payments": {Handler: handler}, "refunds": {Policy: on(supervisor.Any())}}
		}, []string{"Config.Handler = nil", `["orders" "refunds"]`, "set Handler or Actor"}},
		{"hooks for an actor of its own", payments(Topic{Actor: producer, Hooks: hooks}), []string{`Config.PerTopic["payments"].Hooks`, "no effect", "the actor receives"}},
		{"hooks for the Config's actor", func(c *Config) {
			c.Handler, c.Actor, c.PerTopic = nil, producer, map[string]Topic{"payments": {Hooks: hooks}}
		}, []string{`Config.PerTopic["payments"].Hooks`, "no effect"}},
		{"hooks for the Config's handler", payments(Topic{Hooks: hooks}), nil},
		{"the Config's hooks for the handler of one", func(c *Config) {
			c.Handler, c.Actor, c.Hooks, c.PerTopic = nil, producer, hooks, map[string]Topic{"payments": {Handler: handler}}
		}, nil},
		{"the Config's hooks for nobody", func(c *Config) {
			c.Handler, c.Actor, c.Hooks, c.PerTopic = nil, producer, hooks, map[string]Topic{"payments": {Handler: handler, Hooks: hooks}}
		}, []string{"Config.Hooks", "no effect"}},

		{"policy's own fault", payments(Topic{Policy: supervisor.Policy{supervisor.On(supervisor.Panic(), supervisor.Skip()), supervisor.On(supervisor.Any())}}),
			[]string{`ottla: Config.PerTopic["payments"].Policy: policy rule 2 (any failure): has no steps`, "add a directive"}},
		{"policy for another topic", payments(Topic{Policy: on(supervisor.Topic("orders"))}),
			[]string{`Config.PerTopic["payments"].Policy`, "rule 1 (topic orders)", `for "payments" alone`, "correct the name, or remove the rule"}},
		{"policy that names its topic", payments(Topic{Policy: on(supervisor.Topic("payments").And(supervisor.Panic()))}), nil},
		{"rule behind one that names its topic", payments(Topic{Policy: append(on(supervisor.Topic("payments")), on(supervisor.Panic())...)}),
			[]string{`Config.PerTopic["payments"].Policy`, "rule 2 (panic)", "never reached"}},
		{"the Config's rule for a topic that inherits", func(c *Config) { payments(Topic{})(c); c.Policy = on(supervisor.Topic("payments")) }, nil},
		{"the Config's rule for a topic with its own policy", func(c *Config) {
			payments(Topic{Policy: on(supervisor.Any())})(c)
			c.Policy = on(supervisor.Topic("payments", "orders"))
		}, []string{"Config.Policy", `Topic("payments")`, `PerTopic["payments"] has a Policy of its own`, "move the rule there"}},
		{"the Config's rule for no topic", func(c *Config) { payments(Topic{})(c); c.Policy = on(supervisor.Topic("refunds")) },
			[]string{"Config.Policy", `Topic("refunds")`, `["orders" "payments"]`, "add the topic to Topics"}},
		{"policy beside a strategy", func(c *Config) {
			c.Strategy = actor.DefaultSupervisorStrategy()
			payments(Topic{Policy: on(supervisor.Any())})(c)
		}, []string{`Config.PerTopic["payments"].Policy = set`, "Strategy", "remove one"}},

		{"dead letters", payments(Topic{Policy: deadLetters("payments.dlt")}), nil},
		{"dead letters to itself", payments(Topic{Policy: deadLetters("payments")}), []string{`Config.PerTopic["payments"].Policy`, `DeadLetter("payments")`, "come back at once", "name another topic"}},
		{"dead letters to another one", payments(Topic{Policy: deadLetters("orders")}), []string{`Config.PerTopic["payments"].Policy`, `DeadLetter("orders")`, "Topics or PerTopic"}},
		{"the Config's dead letters to one", func(c *Config) { payments(Topic{})(c); c.Policy = deadLetters("payments") }, []string{"Config.Policy", `DeadLetter("payments")`, "Topics or PerTopic"}},
		{"dead letters to no topic", payments(Topic{Policy: deadLetters("pay ments")}), []string{`Config.PerTopic["payments"].Policy`, `DeadLetter("pay ments")`, "no name of a topic"}},
		{"dead letters elsewhere", func(c *Config) { payments(Topic{Policy: deadLetters("pay ments")})(c); c.DeadLetters = elsewhere{} }, nil},
		{"dead letters created", func(c *Config) {
			payments(Topic{Policy: deadLetters("payments.dlt")})(c)
			c.CreateDeadLetterTopics = true
		}, nil},
		{"no dead letters created", func(c *Config) { payments(Topic{Policy: on(supervisor.Any())})(c); c.CreateDeadLetterTopics = true }, []string{"CreateDeadLetterTopics", "dead-letters nothing"}},
		{"no dead letters of a topic created", func(c *Config) {
			alone(Topic{Handler: handler, Policy: on(supervisor.Any())})(c)
			c.Policy, c.CreateDeadLetterTopics = deadLetters("unused.dlt"), true
		}, []string{"CreateDeadLetterTopics", "dead-letters nothing"}},
		{"skips with a store", func(c *Config) {
			c.Offsets = Offsets{Store: store{}, Start: Latest}
			payments(Topic{Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Skip())}})(c)
		}, []string{`Config.PerTopic["payments"].Policy`, "Skip", "consumer.store", "consumer.Advancer"}},
		{"skips with a store that advances", func(c *Config) {
			c.Offsets = Offsets{Store: advancer{}, Start: Latest}
			payments(Topic{Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Skip())}})(c)
		}, nil},

		{"negative timeout", payments(Topic{HandlerTimeout: -time.Second}), []string{`Config.PerTopic["payments"].HandlerTimeout = -1s`, "below 0s", "or 0 for the Config's"}},
		{"negative time of what is stuck", payments(Topic{StuckAfter: -1}), []string{`Config.PerTopic["payments"].StuckAfter = -1ns`, "below 0s", "or 0 for the Config's"}},
		{"rate", payments(Topic{Limit: Limit{PerSecond: -1}}), []string{`Config.PerTopic["payments"].Limit.PerSecond = -1`, "out of range"}},
		{"burst alone", payments(Topic{Limit: Limit{Burst: 3}}), []string{`Config.PerTopic["payments"].Limit.Burst = 3`, `set PerTopic["payments"].Limit.PerSecond`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good()
			tt.change(&c)
			err := c.Validate()
			if len(tt.want) == 0 || err == nil {
				if err != nil || len(tt.want) != 0 {
					t.Fatal(err)
				}
				return
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one fault:\n%v", err)
			}
			for _, part := range append(tt.want, "ottla: Config.") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q misses %q", err, part)
				}
			}
		})
	}
}

// All faults of all topics come together, in the order of their names.
func TestValidatePerTopicReportsAllTogether(t *testing.T) {
	c := good()
	c.PerTopic = map[string]Topic{
		"b": {HandlerTimeout: -1, Policy: supervisor.Policy{supervisor.On(supervisor.Any()), supervisor.On(supervisor.Topic("a"), supervisor.Park("x"))}},
		"a": {Handler: handlerOf("x"), Actor: producer, Policy: deadLetters("b")},
	}
	text := c.Validate().Error()
	at := -1
	for _, want := range []string{
		`PerTopic["a"].Handler`, `PerTopic["a"].Policy`, `PerTopic["b"].Policy: policy rule 1`, `PerTopic["b"].Policy: policy rule 2`, `PerTopic["b"].HandlerTimeout`,
	} {
		i := strings.Index(text, "ottla: Config."+want)
		if i <= at {
			t.Errorf("%s is missing, or not in its place, in\n%s", want, text)
		}
		at = i
	}
}

// What no topic inherits works, and is said.
func TestWarningsOfWhatNoTopicInherits(t *testing.T) {
	c := good()
	c.Topics, c.PerTopic = nil, map[string]Topic{"payments": {Handler: handlerOf("x"), Policy: deadLetters("x")}}
	c.Policy = deadLetters("y")
	want := []string{"ottla: Config.Handler: no topic uses it", "ottla: Config.Policy: no topic uses it"}
	got := c.Warnings()
	for i, w := range want {
		if len(got) != len(want) || !strings.Contains(got[i], w) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if got = c.WithDefaults().Warnings(); len(got) != len(want) {
		t.Errorf("with defaults %q", got)
	}
	c.Handler, c.Actor, c.Policy = nil, producer, nil
	if got = c.WithDefaults().Warnings(); len(got) != 1 || !strings.Contains(got[0], "Config.Actor: no topic uses it") {
		t.Errorf("without a policy %q", got)
	}
	hooks := Hooks{Lost: func(messages.Lost) {}}
	c.HandlerTimeout, c.StuckAfter, c.Limit.PerSecond = time.Second, time.Second, 7
	c.PerTopic = map[string]Topic{"payments": {Handler: handlerOf("x"), Hooks: hooks, HandlerTimeout: 1, StuckAfter: 1, Limit: Limit{PerSecond: 1}}}
	c.Handler, c.Actor, c.Hooks = handlerOf("y"), nil, hooks
	for _, field := range []string{"Handler", "Hooks", "HandlerTimeout", "StuckAfter", "Limit"} {
		if !strings.Contains(strings.Join(c.WithDefaults().Warnings(), " "), "Config."+field+": no topic uses it") {
			t.Errorf("nothing is said of %s: %q", field, c.Warnings())
		}
	}
	c.Topics = []string{"orders"}
	if got = c.Warnings(); len(got) != 0 {
		t.Errorf("with a topic that inherits %q", got)
	}
	if got = (Config{Handler: func(context.Context, *Record) error { return nil }}).Warnings(); len(got) != 0 {
		t.Errorf("without topics %q", got)
	}
}
