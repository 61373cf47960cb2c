package main

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
)

// What becomes of the first question about these payments. Each of them is asked about again.
const (
	slowAt   = 7  // of twenty: it is answered when the payment is asked about again, and that is too late
	panicsAt = 13 // the checker panics; protoactor restarts it
	joltedAt = 21 // the one who asks is restarted meanwhile; the answer to the first question is late, too
	diesAt   = 33 // the checker stops, and there is none until somebody hears of it
	refused  = 29 // of thirty: the payment is not right
)

// checker is an actor of the application that knows nothing of Kafka.
type checker struct{ office *office }

// Receive answers a check with a verdict, or has its troubles.
func (c *checker) Receive(ctx actor.Context) {
	m, ok := ctx.Message().(*check)
	if !ok {
		return
	}
	n := m.Payment.Number
	late, again := c.office.ask(n, ctx.Sender())
	right := &verdict{OK: n%30 != refused}
	switch {
	case again:
		if n%20 == slowAt || n == joltedAt {
			fmt.Printf("checker: payment %d, at last; nobody waits for the first answer any more\n", n)
			ctx.Send(late, right)
		}
		ctx.Respond(right)
	case n%20 == slowAt || n == joltedAt:
		fmt.Printf("checker: payment %d will take a while\n", n)
	case n == panicsAt:
		c.office.note("checker_restarted")
		panic("a payment that nobody expected")
	case n == diesAt:
		fmt.Println("checker: that was the last one")
		ctx.Stop(ctx.Self())
	default:
		ctx.Respond(right)
	}
}
