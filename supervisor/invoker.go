package supervisor

import (
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
)

// invoker runs the supervisor for its mailbox, and sees to what Receive cannot: a panic around it, in a middleware that the
// application has put into the Props or in protoactor, and a runtime.Goexit anywhere.
//
// protoactor's mailbox would suspend the actor for the panic and ask its parent. The parent says Restart, which the gate holds
// back until the group has been left; and a suspended actor never hears that it is to leave. Its claims would stay, and nobody
// would take what the group says of them. Of a Goexit it would not even know: the goroutine that runs it is gone, and no other
// one is ever scheduled.
type invoker struct {
	actor.MessageInvoker // protoactor's context of the actor

	inner actor.Mailbox
}

// InvokeUserMessage implements actor.MessageInvoker.
func (i invoker) InvokeUserMessage(message any) {
	i.watch(message, i.MessageInvoker.InvokeUserMessage)
}

// InvokeSystemMessage implements actor.MessageInvoker.
func (i invoker) InvokeSystemMessage(message any) {
	i.watch(message, i.MessageInvoker.InvokeSystemMessage)
}

func (i invoker) watch(message any, invoke func(any)) {
	returned := false
	defer func() {
		if !returned {
			i.failed(message, recover(), debug.Stack())
		}
	}()
	invoke(message)
	returned = true
}

// failed drains the consumer. protoactor may have been left in the middle of the actor's stop or restart: the Terminated of
// nobody's has it look where it was.
func (i invoker) failed(message, reason any, stack []byte) {
	ctx, ok := i.MessageInvoker.(actor.Context)
	if !ok {
		return
	}
	if s, ok := ctx.Actor().(*supervisor); ok {
		s.attempt(func() { s.fell(ctx, fallen(reason), stack) })
	}
	switch message.(type) {
	case *actor.Stop, *actor.Restart, *actor.Terminated:
		for _, child := range ctx.Children() {
			ctx.Stop(child)
		}
		i.inner.PostSystemMessage(&actor.Terminated{Who: ctx.Self()})
	}
}

// dispatcher runs the mailbox again where a Goexit has ended its goroutine.
type dispatcher struct{ actor.Dispatcher }

// Schedule implements actor.Dispatcher.
func (d dispatcher) Schedule(run func()) {
	d.Dispatcher.Schedule(func() {
		returned := false
		defer func() {
			if !returned {
				d.Schedule(run)
			}
		}()
		run()
		returned = true
	})
}
