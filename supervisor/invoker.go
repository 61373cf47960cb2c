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
//
// All of it belongs to the actor's own turn.
type invoker struct {
	actor.MessageInvoker // protoactor's context of the actor

	inner    actor.Mailbox
	ending   actor.Actor // the incarnation that a Stop or a Restart has reached: protoactor waits for its children, then ends it
	looks    int         // how often protoactor was asked to look where that stands
	watchers actor.PIDSet
	ended    bool // by us
}

// looksAtTheEnd is how many faults in the row of its last messages an incarnation may have.
const looksAtTheEnd = 5

// InvokeUserMessage implements actor.MessageInvoker.
func (i *invoker) InvokeUserMessage(message any) {
	if !i.ended {
		i.watch(message, i.MessageInvoker.InvokeUserMessage)
	}
}

// InvokeSystemMessage implements actor.MessageInvoker.
func (i *invoker) InvokeSystemMessage(message any) {
	ctx, ok := i.MessageInvoker.(actor.Context)
	if !ok {
		i.MessageInvoker.InvokeSystemMessage(message)
		return
	}
	switch msg := message.(type) {
	case *actor.Watch:
		i.watchers.Add(msg.Watcher)
		if i.ended { // it has come before the name was gone
			i.tellEnd(ctx)
		}
	case *actor.Unwatch:
		i.watchers.Remove(msg.Watcher)
	case *actor.Stop, *actor.Restart:
		if i.ending != ctx.Actor() {
			i.ending, i.looks = ctx.Actor(), 0
		}
	}
	if !i.ended {
		i.watch(message, i.MessageInvoker.InvokeSystemMessage)
	}
}

func (i *invoker) watch(message any, invoke func(any)) {
	returned := false
	defer func() {
		if !returned {
			i.failed(message, recover(), debug.Stack())
		}
	}()
	invoke(message)
	returned = true
}

// failed drains the consumer, and sees to it that protoactor, which may have been left in the middle of the actor's stop or restart,
// goes on with that. While there is none, children are left alone: theirs is the time of the drain.
func (i *invoker) failed(message, reason any, stack []byte) {
	ctx, ok := i.MessageInvoker.(actor.Context)
	if !ok {
		return
	}
	s, ok := ctx.Actor().(*supervisor)
	if !ok {
		return
	}
	s.attempt(func() { s.fell(ctx, fallen(reason), stack) })
	switch msg := message.(type) {
	case *actor.Terminated:
		s.attempt(func() { s.missed(msg.Who) })
	case *actor.Stop, *actor.Restart:
	default:
		return
	}
	if i.ending == ctx.Actor() {
		i.lookAgain(ctx, s)
	}
}

// lookAgain has protoactor look where the end of the incarnation stands: when a child has gone, or at the Terminated of nobody's.
// Should the application's middleware fail at each of them, or at each Stopped, that would go on for ever, and keep everything
// else from the actor; then the end is ours.
func (i *invoker) lookAgain(ctx actor.Context, s *supervisor) {
	if children := ctx.Children(); len(children) > 0 {
		for _, child := range children {
			ctx.Stop(child)
		}
		return
	}
	if i.looks++; i.looks <= looksAtTheEnd {
		i.inner.PostSystemMessage(&actor.Terminated{Who: ctx.Self()})
		return
	}
	i.ended = true
	s.attempt(func() { s.log.Error("the supervisor cannot stop or restart in order: it is gone") })
	s.kin.over(ctx.Self())
	ctx.ActorSystem().ProcessRegistry.Remove(ctx.Self())
	if parent := ctx.Parent(); parent != nil {
		i.watchers.Add(parent)
	}
	i.tellEnd(ctx)
}

// tellEnd tells those who watch the actor, once each.
func (i *invoker) tellEnd(ctx actor.Context) {
	for _, who := range i.watchers.Values() {
		if p, ok := ctx.ActorSystem().ProcessRegistry.Get(who); ok {
			p.SendSystemMessage(who, &actor.Terminated{Who: ctx.Self()})
		}
	}
	i.watchers.Clear()
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
