package supervisor

import (
	"slices"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// pending is a failure that waits for a decision.
type pending struct {
	fault   *actors.Fault // nil: it did not come through the mailbox
	failure messages.Failure
	again   func()  // how to try again what is not the actor's: the start, the spawn
	at      *repair // with again
}

// ofChild: a child of the partition's actor has failed, and that was escalated.
func (p *pending) ofChild() bool { return p.fault == nil && p.again == nil }

// over: what was asked about is not waited for any more; the actor was stopped or restarted meanwhile, and the record is, or
// was, delivered again. Nothing may be given up for it then, and no store moved.
func (p *pending) over(c *claim) bool { return p.fault != nil && c.mailbox.Fault() != p.fault }

// undecided are the failures that wait for a plain strategy, oldest first: at most a record's or the actor's own, and those
// that its children have escalated.
func (c *claim) undecided() []*pending {
	c.pending = slices.DeleteFunc(c.pending, func(p *pending) bool { return p.over(c) })
	return slices.Clone(c.pending)
}

// comesAgain: with nothing to give up, the same would fail again at once, and for ever: a start that is asked for again, an
// actor that is made anew.
func (p *pending) comesAgain() bool {
	return p.fault == nil || p.fault.Record == nil && p.failure.Class == messages.ClassPanic
}

// record is the attempt that failed; nil when no record is concerned.
func (p *pending) record() *messages.Record {
	if p.fault == nil {
		return nil
	}
	return p.fault.Record
}
