package consumer

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/supervisor"
)

// Topic is what is different for the partitions of one topic, see [Config.PerTopic]. A field that is zero is inherited: the
// Config's holds, or its default. Name the fields in literals: there will be more of them.
type Topic struct {
	// Handler and Actor take the place of the Config's, whichever of both that has: one of them at most is given.
	Handler Handler
	// Actor is Config.Actor for this topic.
	Actor actor.Producer
	// Hooks are those of a Handler, the Config's or this topic's own. All three are inherited together, or none: what is made in
	// Assigned is ended in Revoked and Lost.
	Hooks Hooks
	// Policy says what the failures of this topic mean, in the place of Config.Policy: what none of its rules matches is
	// decided as by supervisor.DefaultPolicy, and does not come to the Config's. An empty one that is not nil is
	// DefaultPolicy, too. Not with a Strategy.
	Policy supervisor.Policy
	// HandlerTimeout bounds one attempt. For "never" beside a Config that has one, use a time that is long enough.
	HandlerTimeout time.Duration
	// StuckAfter is after how long a handler or an actor that does not return is reported.
	StuckAfter time.Duration
	// Limit bounds how fast the records of one partition are handed out. Its two fields are inherited together, or not. For no
	// limit beside a Config that has one, use a rate that is high enough.
	Limit Limit
}

// subscribed are the topics that are consumed: those of Topics, and then those of PerTopic that are not among them.
func (c Config) subscribed() []string {
	list := slices.Clone(c.Topics)
	for _, name := range slices.Sorted(maps.Keys(c.PerTopic)) {
		if !slices.Contains(c.Topics, name) {
			list = append(list, name)
		}
	}
	return list
}

// topic is what holds for one, with what it inherits. c may be as it was given, or have its defaults.
func (c Config) topic(name string) Topic {
	t := c.PerTopic[name]
	if t.Handler == nil && t.Actor == nil {
		t.Handler, t.Actor = c.Handler, c.Actor
	}
	if !t.Hooks.any() {
		t.Hooks = c.Hooks
	}
	if t.Policy == nil {
		t.Policy = c.Policy
	}
	set(&t.HandlerTimeout, c.HandlerTimeout)
	set(&t.StuckAfter, c.StuckAfter)
	set(&t.Limit, c.Limit)
	return t
}

// inheriting are the subscribed topics that have nothing of their own, as own tells.
func (c Config) inheriting(own func(Topic) bool) (list []string) {
	for _, name := range c.subscribed() {
		if !own(c.PerTopic[name]) {
			list = append(list, name)
		}
	}
	return list
}

func ownHandler(t Topic) bool { return t.Handler != nil || t.Actor != nil }
func ownPolicy(t Topic) bool  { return t.Policy != nil }

// policies are those in use, each with the topic that it is for; "": all that have none of their own.
func (c Config) policies() (list []topicPolicy) {
	if len(c.PerTopic) == 0 || len(c.inheriting(ownPolicy)) > 0 {
		list = append(list, topicPolicy{"", c.Policy})
	}
	for _, name := range slices.Sorted(maps.Keys(c.PerTopic)) {
		if t := c.PerTopic[name]; ownPolicy(t) {
			list = append(list, topicPolicy{name, t.Policy})
		}
	}
	return list
}

type topicPolicy struct {
	topic  string
	policy supervisor.Policy
}

// unused are the fields that no topic inherits.
func (c Config) unused() (fields []string) {
	if len(c.PerTopic) == 0 {
		return nil
	}
	if len(c.inheriting(ownHandler)) == 0 {
		switch {
		case c.Handler != nil:
			fields = append(fields, "Handler")
		case c.Actor != nil:
			fields = append(fields, "Actor")
		}
	}
	// WithDefaults may have set it.
	if own := c.Policy != nil && c.Policy.Explain() != supervisor.DefaultPolicy().Explain(); own && len(c.inheriting(ownPolicy)) == 0 {
		fields = append(fields, "Policy")
	}
	for _, one := range []struct {
		field string
		given bool
		own   func(Topic) bool
	}{
		{"Hooks", c.Hooks.any(), func(t Topic) bool { return t.Hooks.any() }},
		{"HandlerTimeout", c.HandlerTimeout > 0, func(t Topic) bool { return t.HandlerTimeout > 0 }},
		{"StuckAfter", c.StuckAfter > 0 && c.StuckAfter != defaultStuckAfter, func(t Topic) bool { return t.StuckAfter > 0 }},
		{"Limit", c.Limit != Limit{}, func(t Topic) bool { return t.Limit != Limit{} }},
	} {
		if one.given && len(c.inheriting(one.own)) == 0 {
			fields = append(fields, one.field)
		}
	}
	return fields
}

// targets are the places to which any policy in use dead-letters, each once.
func (c Config) targets() []string {
	var places []string
	for _, p := range c.policies() {
		places = append(places, p.policy.Targets()...)
	}
	slices.Sort(places)
	return slices.Compact(places)
}
