package consumer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

func (f *faults) policies(c Config) {
	if c.Policy != nil && c.Strategy != nil {
		f.add("Strategy", fmt.Sprintf("%T", c.Strategy), "Policy is given too", "remove one of both")
	}
	if err := c.Policy.Validate(); err != nil {
		f.list = append(f.list, err) // names rule, value and remedy, a line each
	}
	inheriting := c.inheriting(ownPolicy)
	for _, topic := range c.Policy.Topics() {
		_, own := c.PerTopic[topic]
		switch {
		case topic == "" || slices.Contains(inheriting, topic):
		case own:
			f.add("Policy", fmt.Sprintf("Topic(%q)", topic), fmt.Sprintf("PerTopic[%q] has a Policy of its own, so that its rule never applies", topic), "move the rule there")
		default:
			f.add("Policy", fmt.Sprintf("Topic(%q)", topic), fmt.Sprintf("Topics, which are %q, do not have it, so that its rule never applies", c.subscribed()), "correct the name, or add the topic to Topics")
		}
	}
	f.steps(c, "Policy", c.Policy)
	for _, name := range slices.Sorted(maps.Keys(c.PerTopic)) {
		if t := c.PerTopic[name]; ownPolicy(t) {
			f.policyOf(c, name, t.Policy)
		}
	}
	f.created(c)
}

// policyOf checks the policy that one topic has for itself.
func (f *faults) policyOf(c Config, topic string, p supervisor.Policy) {
	field := perTopic(topic) + ".Policy"
	if c.Strategy != nil {
		f.add(field, "set", fmt.Sprintf("Strategy (%T) is given, which decides about every topic", c.Strategy), "remove one of both")
	}
	var all interface{ Unwrap() []error }
	if errors.As(p.ValidateFor(topic), &all) {
		for _, err := range all.Unwrap() {
			f.list = append(f.list, fmt.Errorf("ottla: Config.%s: %s", field, strings.TrimPrefix(err.Error(), "ottla: ")))
		}
	}
	f.steps(c, field, p)
}

// steps checks what a policy does against the rest of the configuration.
func (f *faults) steps(c Config, field string, p supervisor.Policy) {
	_, advances := c.Offsets.Store.(Advancer)
	for _, action := range []messages.Action{messages.ActionSkip, messages.ActionDeadLetter} {
		if c.Offsets.Store != nil && !advances && p.Uses(action) {
			f.add(field, action.String(), fmt.Sprintf("Offsets.Store (%T) has no method Advance, so it would never learn of a record that was given up", c.Offsets.Store),
				"add the method of consumer.Advancer to the store, or use Park in its place")
		}
	}
	if c.DeadLetters != nil {
		return // what a place is called is its own affair
	}
	consumed := c.subscribed()
	for _, to := range p.Targets() {
		value := fmt.Sprintf("DeadLetter(%q)", to)
		switch {
		case to == "": // Policy.Validate has said so
		case !legalName(to):
			f.add(field, value, "that is no name of a topic", "use letters, digits, '.', '_' and '-', 249 of them at most")
		case slices.Contains(consumed, to):
			f.add(field, value, "it is one of Topics or PerTopic, too, so that what was given up would come back at once",
				"name another topic, or consume that one in a group of its own")
		}
	}
}

func (f *faults) created(c Config) {
	switch {
	case !c.CreateDeadLetterTopics:
	case c.DeadLetters != nil:
		f.add("CreateDeadLetterTopics", "true", "DeadLetters is given, which writes elsewhere", "remove one of both")
	case len(c.targets()) == 0:
		f.add("CreateDeadLetterTopics", "true", "Policy dead-letters nothing", "remove it, or add a DeadLetter step")
	}
}
