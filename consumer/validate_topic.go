package consumer

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// perTopic is the field of a topic, as faults name it.
func perTopic(name string) string { return fmt.Sprintf("PerTopic[%q]", name) }

func (f *faults) topics(c Config) {
	const remedy = "use 1 to 249 letters, digits, dots, dashes and underscores; patterns are not supported"
	if len(c.Topics) == 0 && len(c.PerTopic) == 0 {
		f.add("Topics", "[]", "there is nothing to consume", "name at least one topic, here or in PerTopic")
	}
	for i, t := range c.Topics {
		field := fmt.Sprintf("Topics[%d]", i)
		switch {
		case !legalName(t):
			f.add(field, strconv.Quote(t), "no topic can have this name", remedy)
		case slices.Contains(c.Topics[:i], t):
			f.add(field, strconv.Quote(t), "it is listed before", "remove one of both")
		}
	}
	for _, t := range slices.Sorted(maps.Keys(c.PerTopic)) {
		if !legalName(t) {
			f.add("PerTopic", strconv.Quote(t), "no topic can have this name", remedy)
		}
	}
}

func (f *faults) handlers(c Config) {
	const both = "Actor is given too"
	bare := c.inheriting(ownHandler)
	switch {
	case c.Handler != nil && c.Actor != nil:
		f.add("Handler", "func", both, "remove one of both")
	case c.Handler != nil || c.Actor != nil:
	case len(c.PerTopic) == 0:
		f.add("Handler", "nil", "nobody handles the records", "set Handler or Actor")
	case len(bare) > 0:
		f.add("Handler", "nil", fmt.Sprintf("nobody handles the records of %q", bare), "set Handler or Actor, here or in PerTopic")
	}
	const gets = "remove them: the actor receives *messages.Assigned, *messages.Revoked and *messages.Lost"
	if c.Hooks.any() && c.Actor != nil && !c.hooked() {
		f.add("Hooks", "func", "with an Actor they have no effect", gets)
	}
	for _, name := range slices.Sorted(maps.Keys(c.PerTopic)) {
		t, field := c.PerTopic[name], perTopic(name)
		if t.Handler != nil && t.Actor != nil {
			f.add(field+".Handler", "func", both, "remove one of both")
		}
		if t.Hooks.any() && c.topic(name).Handler == nil && c.topic(name).Actor != nil {
			f.add(field+".Hooks", "func", "with an Actor they have no effect", gets)
		}
	}
}

// hooked says whether any topic's handler has the Config's hooks.
func (c Config) hooked() bool {
	return slices.ContainsFunc(c.subscribed(), func(name string) bool {
		return !c.PerTopic[name].Hooks.any() && c.topic(name).Handler != nil
	})
}

// times are the limits of what topics have of their own.
func (c Config) times() (list []limit) {
	const remedy = "use a positive time, or 0 for the Config's"
	for _, name := range slices.Sorted(maps.Keys(c.PerTopic)) {
		t, field := c.PerTopic[name], perTopic(name)
		list = append(list,
			limit{field + ".HandlerTimeout", int64(t.HandlerTimeout), 0, forever, duration, remedy},
			limit{field + ".StuckAfter", int64(t.StuckAfter), 0, forever, duration, remedy})
	}
	return list
}
