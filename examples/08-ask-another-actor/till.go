package main

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/examples/internal/demo"
	"github.com/ottla-go/ottla/messages"
)

// patience is how long a till waits for the checker.
const patience = 300 * time.Millisecond

// What is said to a till, and by it.
type (
	check   struct{ Payment demo.Order } // to the checker
	verdict struct{ OK bool }            // from it
	busy    struct{}                     // answered with whether a payment is open
	jolt    struct{}                     // nobody expects it
)

// till is the actor of one partition. It has each payment checked, and books it when it is right.
type till struct {
	office *office
	fraud  *actor.PID
	open   *messages.Record
}

// Receive gets one message at a time: nothing here needs a lock.
func (t *till) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Record:
		payment, err := messages.DecodeJSON[demo.Order](m)
		if err != nil {
			m.Complete(err)
			return
		}
		if t.open != nil {
			t.office.note("overlaps")
		}
		t.open = m
		actors.Ask(ctx, m, t.fraud, &check{payment}, patience)
		if t.office.once(payment.Number == joltedAt, "jolt") {
			ctx.Send(ctx.Self(), &jolt{})
		}
	case *messages.Answer:
		if m.Record != t.open {
			t.office.note("strangers")
		}
		t.open = nil
		t.answered(m)
	case *busy: // also while a payment is open
		ctx.Respond(t.open != nil)
	case *jolt:
		fmt.Printf("%v: its till panics while it waits for the checker\n", t.open)
		panic("a message that nobody expected")
	}
}

func (t *till) answered(a *messages.Answer) {
	v, ok := a.Value.(*verdict)
	switch {
	case a.Err != nil: // the policy says what next
		a.Record.Complete(a.Err)
	case !ok:
		a.Record.Complete(fmt.Errorf("the checker said %T", a.Value))
	default:
		what := "refused"
		if v.OK {
			what = "booked"
		}
		t.office.note(what)
		if a.Record.Complete(nil) {
			t.office.tally.Finished(a.Record)
		}
	}
}
