package actors

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// Ask asks another actor about a record and returns at once. The record is kept open ([messages.Record.Keep]), the next
// one of the partition waits, and other messages arrive. What comes of it arrives as a *[messages.Answer]: the reply, or
// after the timeout messages.ErrNoReply; if there is no actor with the PID, messages.ErrNoActor, at once. Complete the
// record then, or ask again.
//
// There is one Answer for each question, and it comes only while the record is open: to the incarnation that has asked,
// and to no other one. When the record has been completed (it may be asked about more than once: whatever comes after
// that is dropped), was delivered anew after a restart or a HandlerTimeout, or the claim was abandoned or lost, the
// question is given up: its timer is stopped and a reply goes to protoactor's dead letters. While a partition is being
// revoked, its open record still has its answer, until the deadline.
//
// A record that is not open when Ask is called is not asked about, and there is no Answer: nobody waits for one.
//
// A panic at an Answer is a failure of its record, as if it had happened at the record itself.
//
// Call it in Receive, with the context of that. In an actor that is not the record's partition actor, a child of it for
// one, there is one thing less: the Answer comes to that actor, while the record is open, but nobody can tell whether that
// actor was restarted in between. The timeout is above 0; else the Answer says so, at once.
func Ask(ctx actor.Context, rec *messages.Record, to *actor.PID, question any, timeout time.Duration) {
	rec.Keep()
	if rec.Stale() != nil {
		return
	}
	i := inquire(ctx.ActorSystem(), ctx.Self(), rec)
	switch {
	case to == nil:
		i.end(nil, fmt.Errorf("%w: the PID is nil", messages.ErrNoActor))
		return
	case timeout <= 0:
		i.end(nil, fmt.Errorf("%w: the timeout of Ask is %v; give one above 0", messages.ErrNoReply, timeout))
		return
	}
	i.limit(timeout, to.Id)
	if p, ok := ctx.Actor().(*partition); ok {
		p.mailbox.inquires(rec, i)
	}
	ctx.RequestWithCustomSender(to, question, i.pid)
}

// inquires makes the attempt the owner of an inquiry about it, which it gives up when it ends. An attempt that has ended
// just now gives up nothing any more: its inquiry ends by itself, at the latest with its time, and its Answer is dropped.
func (m *Mailbox) inquires(rec *messages.Record, i *inquiry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stale(rec) == nil {
		m.attempt.inquire(i)
	}
}
