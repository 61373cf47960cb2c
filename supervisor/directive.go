package supervisor

import (
	"fmt"

	"github.com/ottla-go/ottla/messages"
)

// Directive is one step of a rule: what is done about a failure, and for how many of a record's failures.
// Make one with [Retry], [Restart], [Break], [Skip], [DeadLetter], [Park] or [Escalate]; the zero Directive is refused by
// [Policy.Validate]. A Directive is a value and safe for concurrent use.
//
// A new directive is one more function in this file, with its messages.Action.
type Directive struct {
	action  messages.Action
	backoff Backoff // Retry, Restart and Break
	reason  string  // Park
	to      string  // DeadLetter
	budget  budget
}

// Retry delivers the same record again, to the same incarnation of the partition actor, after the backoff.
// After a panic the actor's state is suspect, and after it stopped itself it is gone: Retry is then carried
// out as [Restart].
func Retry(b Backoff) Directive { return Directive{action: messages.ActionRetry, backoff: b} }

// Restart delivers the same record again, to a fresh incarnation, after the backoff.
func Restart(b Backoff) Directive { return Directive{action: messages.ActionRestart, backoff: b} }

// Break is Retry for a failure that is not the record's own: what all records need is away. It opens the consumer's breaker.
// All partitions hold, those that are assigned meanwhile, too; what is with a handler finishes. The record is delivered
// again after the probe's delays, as long as it fails, to the same incarnation (after a panic, to a fresh one); when it, or
// another record in its place, is handled, the breaker closes, and all go on.
//
// Another one takes its place when it will not come: its claim has ended; it was skipped, dead-lettered, parked or paused; or it failed
// again and another directive applies, whose delays are for it alone. That is the next head of any partition, after
// the pace of the last delay. A breaker that is open opens no second time: what else fails then, having begun before, waits
// as by Retry, and for the breaker.
//
// Where no record is concerned (a hook that fails, the store), it is a Retry.
func Break(probe Backoff) Directive { return Directive{action: messages.ActionBreak, backoff: probe} }

// Skip gives the record up: logged with its coordinates, committed, gone.
func Skip() Directive { return Directive{action: messages.ActionSkip} }

// DeadLetter gives the record up once it is written to another place, to be looked at, mended and replayed: written and
// acknowledged first, then committed. By default it is a topic of that name; see the consumer's Config.DeadLetters.
//
// What cannot be written is not given up: that is a failure of its own, of [messages.ClassDeadLetter], which only a rule
// applies to that names that class; without one the default does, which delivers the record again after 10 s, 100 s, … Where
// no record is concerned (a hook that fails, the store), there is nothing to write, and the step is a Retry by the default's
// delays.
//
// A consumer that ends between the two leaves the record to the next owner, which may write it once more.
func DeadLetter(to string) Directive {
	return Directive{action: messages.ActionDeadLetter, to: to}
}

// Park keeps the record and holds its partition until an operator retries or skips it; the other partitions
// run on. The reason stands in status and log and travels to the next owner; an empty one is the rule's name.
func Park(reason string) Directive { return Directive{action: messages.ActionPark, reason: reason} }

// Escalate ends the consumer: it drains, leaves the group, and then fails with a
// [messages.EscalatedError]. The record stays uncommitted.
func Escalate() Directive { return Directive{action: messages.ActionEscalate} }

// waits tells a directive with a delay.
func (d Directive) waits() bool {
	return d.action == messages.ActionRetry || d.action == messages.ActionRestart || d.action == messages.ActionBreak
}

// String is the step as Explain prints it.
func (d Directive) String() string {
	s := d.action.String()
	switch {
	case d.action == messages.ActionBreak:
		s += ", probe after " + d.backoff.String()
	case d.waits():
		s += " after " + d.backoff.String()
	case d.action == messages.ActionDeadLetter:
		s += " to " + d.to
	case d.action == messages.ActionPark && d.reason != "":
		s += fmt.Sprintf(" %q", d.reason)
	}
	return s + d.budget.String()
}
