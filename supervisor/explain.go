package supervisor

import (
	"fmt"
	"strings"

	"github.com/ottla-go/ottla/messages"
)

// Explain prints the policy for people: one line a rule, in the order in which they are tried, with the
// delays that will be waited, and what is done about a failure that no rule matches.
//
//  1. error is "unknown customer": Park "customer is not known yet"
//  2. panic: Restart after 200ms, 400ms, 800ms, … up to 1m (full jitter), 3 times; then Skip
//     otherwise: Retry after 10s, 1m40s, 16m40s, then 1h, for ever
func (p Policy) Explain() string {
	if p == nil {
		p = DefaultPolicy()
	}
	var s strings.Builder
	panics, all := true, false // do failures, do panics get as far as the next rule?
	letters := len(p.Targets()) > 0
	for i, r := range p {
		fmt.Fprintf(&s, "%d. %s: %s\n", i+1, r.heading(), r.explain(panics))
		panics = panics && !r.On.covers(Panic())
		letters = letters && !r.On.forLetters()
		all = all || r.On.covers(Matcher{}) // only Any covers the matcher of nothing
	}
	if !all {
		fmt.Fprintf(&s, "otherwise: %s\n", defaultRule.explain(panics))
	}
	if letters {
		fmt.Fprintf(&s, "a dead letter that cannot be written: %s\n", defaultRule.explain(false))
	}
	return s.String()
}

// heading is the condition, with the rule's name where it has one of its own.
func (r Rule) heading() string {
	if r.Name == "" || r.Name == r.On.String() {
		return r.On.String()
	}
	return fmt.Sprintf("%s (%s)", r.Name, r.On)
}

// explain lists the steps; panics says that some come to this rule.
func (r Rule) explain(panics bool) string {
	steps := r.steps()
	texts := make([]string, len(steps))
	retries := false
	for i, d := range steps {
		texts[i] = d.String()
		if d.waits() && i == len(steps)-1 {
			texts[i] += ", for ever"
		}
		retries = retries || d.action == messages.ActionRetry
	}
	text := strings.Join(texts, "; then ")
	if retries && panics {
		text += " (after a panic, Retry is carried out as Restart)"
	}
	return text
}
