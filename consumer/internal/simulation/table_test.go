package simulation

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// table is a schedule's policy, twice: as the product is told, and as the model of the ledger reads it.
type table []rule

type rule struct {
	name    string
	on      supervisor.Matcher
	is      func(class messages.Class, err error) bool
	do      []step
	letters bool // it names the class of dead letters that cannot be written: no other rule is for them
}

// step is one of a rule's. A budget that is 0 is none.
type step struct {
	action messages.Action
	delay  time.Duration
	to     string // a dead letter
	times  int
	within int
	window time.Duration
	age    time.Duration
}

const parkReason = "somebody has to look at it"

func (s step) directive() supervisor.Directive {
	var d supervisor.Directive
	switch s.action {
	case messages.ActionRestart:
		d = supervisor.Restart(supervisor.Every(s.delay))
	case messages.ActionBreak:
		d = supervisor.Break(supervisor.Every(s.delay))
	case messages.ActionSkip:
		d = supervisor.Skip()
	case messages.ActionDeadLetter:
		d = supervisor.DeadLetter(s.to)
	case messages.ActionPark:
		d = supervisor.Park(parkReason)
	default:
		d = supervisor.Retry(supervisor.Every(s.delay))
	}
	if s.times > 0 {
		d = d.Times(s.times)
	}
	if s.within > 0 {
		d = d.Within(s.within, s.window)
	}
	if s.age > 0 {
		d = d.For(s.age)
	}
	return d
}

func directives(all []step) []supervisor.Directive {
	do := make([]supervisor.Directive, len(all))
	for i, s := range all {
		do[i] = s.directive()
	}
	return do
}

func (t table) policy() supervisor.Policy {
	p := make(supervisor.Policy, len(t))
	for i, r := range t {
		p[i] = supervisor.Rule{Name: r.name, On: r.on, Do: directives(r.do)}
	}
	return p
}

func retry(d time.Duration) step   { return step{action: messages.ActionRetry, delay: d} }
func restart(d time.Duration) step { return step{action: messages.ActionRestart, delay: d} }
func letter(to string) step        { return step{action: messages.ActionDeadLetter, to: to} }

func (s step) upTo(times int) step          { s.times = times; return s }
func (s step) since(age time.Duration) step { s.age = age; return s }
func (s step) perWindow(n int, window time.Duration) step {
	s.within, s.window = n, window
	return s
}

var (
	skip = step{action: messages.ActionSkip}
	park = step{action: messages.ActionPark}
)

// isErr and isClass are what supervisor.Is and supervisor.Class say of themselves.
func isErr(target error) func(messages.Class, error) bool {
	return func(_ messages.Class, err error) bool { return errors.Is(err, target) }
}

func isClass(class messages.Class) func(messages.Class, error) bool {
	return func(c messages.Class, _ error) bool { return c == class }
}

// newTable chooses the steps for each kind of failure. A third of all have the plain policy: what does not come back after a
// while, and hours of holds, are no schedule's point.
func newTable(r *rand.Rand) (t table, directed []step) {
	one := func(of ...[]step) []step { return of[r.IntN(len(of))] }
	const ms, s = time.Millisecond, time.Second
	panics := one([]step{restart(50 * ms)}, []step{restart(50*ms).perWindow(3, 20*s), letter("panics")},
		[]step{retry(50 * ms).upTo(2), skip}, []step{restart(50 * ms).since(300 * ms), park})
	hopeless := one([]step{skip}, []step{letter("hopeless")}, []step{retry(20 * ms).upTo(2), letter("hopeless")},
		[]step{retry(20*ms).perWindow(3, 30*s), skip}, []step{retry(20 * ms).upTo(1), restart(20 * ms).upTo(2), letter("hopeless")})
	somebody := one([]step{park}, []step{retry(30 * ms).upTo(2), park})
	other := one([]step{retry(100 * ms)}, []step{retry(20 * ms).upTo(3), restart(20 * ms).upTo(2), letter("other")},
		[]step{retry(40 * ms).since(2 * s), skip}, []step{retry(20*ms).perWindow(4, 10*s), retry(s)},
		[]step{retry(30 * ms).upTo(5), retry(100*ms).perWindow(5, 20*s), letter("other")})
	lost := one(nil, []step{retry(500 * ms)}, []step{retry(300 * ms).upTo(2), park})
	timeouts := one(nil, nil, []step{retry(50 * ms).upTo(1), letter("slow")})
	if r.IntN(3) == 0 {
		panics, hopeless, somebody, other, timeouts = []step{restart(50 * ms)}, []step{skip}, []step{park}, []step{retry(100 * ms)}, nil
	}
	if r.IntN(4) == 0 {
		directed = one([]step{skip}, []step{retry(20 * ms).upTo(2), letter("directed")}, []step{retry(50 * ms).since(s), skip})
	}
	t = table{
		{name: "panics", on: supervisor.Panic(), is: isClass(messages.ClassPanic), do: panics},
		{name: "hopeless", on: supervisor.Is(errHopeless), is: isErr(errHopeless), do: hopeless},
		{name: "outage", on: supervisor.Is(errOutage), is: isErr(errOutage), do: []step{{action: messages.ActionBreak, delay: 700 * ms}}},
		{name: "somebody", on: supervisor.Is(errSomebody), is: isErr(errSomebody), do: somebody},
	}
	if timeouts != nil {
		t = append(t, rule{name: "slow", on: supervisor.Timeout(), is: isClass(messages.ClassTimeout), do: timeouts})
	}
	if lost != nil {
		t = append(t, rule{name: "letters", on: supervisor.Class(messages.ClassDeadLetter), is: isClass(messages.ClassDeadLetter), do: lost, letters: true})
	}
	return append(t, rule{name: "other", on: supervisor.Any(), is: func(messages.Class, error) bool { return true }, do: other}), directed
}

// String is one line for each rule.
func (t table) String() string {
	var b strings.Builder
	for _, r := range t {
		fmt.Fprintf(&b, "  on %-9s %s\n", r.name+":", steps(r.do))
	}
	return b.String()
}

func steps(all []step) string {
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = s.directive().String()
	}
	return cmp.Or(strings.Join(texts, "; then "), "none")
}
