package actors

import (
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// Props are those of the partition actor on the mailbox m. The user's actor, or the handler, is made anew for
// each incarnation; the mailbox, and with it the backlog, outlives them all.
func Props(m *Mailbox) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return m.incarnate() },
		actor.WithMailbox(func() actor.Mailbox { return m }))
}

// guard runs user code in a goroutine of its own and waits for it, where neither a panic nor a Goexit may reach
// protoactor: in Stopping and Stopped they would leave an actor that never ends, in Restarting one that is
// neither old nor new.
func guard(code func()) (failure *messages.PanicError) { return <-guarded(code) }

// guarded runs code in a goroutine of its own; the channel tells how it has ended, nil: it has returned.
func guarded(code func()) <-chan *messages.PanicError {
	ended := make(chan *messages.PanicError, 1)
	go func() {
		returned := false
		defer func() {
			switch r := recover(); {
			case returned:
				ended <- nil
			case r == nil:
				ended <- &messages.PanicError{Value: messages.Goexit, Stack: debug.Stack()}
			default:
				ended <- &messages.PanicError{Value: r, Stack: debug.Stack()}
			}
		}()
		code()
		returned = true
	}()
	return ended
}

// handlerActor is the partition actor of those who have a handler.
type handlerActor struct{ mailbox *Mailbox }

// Receive runs the handler, and the hooks.
func (a *handlerActor) Receive(ctx actor.Context) {
	m := a.mailbox
	switch msg := ctx.Message().(type) {
	case *messages.Record:
		if m.handedOut(msg) {
			m.returned(m.set.Handler(msg.Context(), msg))
		}
	case *messages.Assigned:
		if m.set.Hooks.Assigned != nil && !m.hooked {
			if m.broken = hookFailed(m.set.Hooks.Assigned(m.current, msg.Claim)); m.broken != nil {
				return
			}
		}
		m.hooked = true
	case *messages.Revoked:
		if m.set.Hooks.Revoked != nil {
			m.set.Hooks.Revoked(*msg)
		}
	case *messages.Lost:
		if m.set.Hooks.Lost != nil {
			m.set.Hooks.Lost(*msg)
		}
	}
}

// partition wraps the user's actor, so that nothing it does in its first and last moments can harm.
type partition struct {
	mailbox *Mailbox
	user    actor.Actor // nil until Started, and when it could not be made
	ending  bool        // Stopping or Restarting was handed over
}

// Receive hands everything on, but for an Answer that comes too late: the record that it is about may have been delivered
// anew while it was under way, or while it waited behind other messages. An actor that is ending gets Terminated for its children, too: protoactor looks only
// after Receive has returned whether that was the last one it waits for.
func (p *partition) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case release:
		return
	case *messages.Answer:
		if msg.Record != nil && msg.Record.Stale() != nil {
			return
		}
	case *actor.Started:
		p.produce()
	case *actor.Stopping, *actor.Restarting:
		p.ending = true
	}
	switch {
	case p.user == nil:
	case !p.ending:
		p.user.Receive(ctx)
	default:
		if err := guard(func() { p.user.Receive(ctx) }); err != nil {
			p.mailbox.set.Tell(Report{Farewell: Sound(err)})
		}
	}
}

// produce makes the user's actor in the first moment of the partition actor, which has a goroutine of its own: a
// producer that waits for a database, say, would keep the supervisor from all other partitions. One that fails is a
// failure in Started, and goes through the policy.
func (p *partition) produce() {
	m := p.mailbox
	var user actor.Actor
	failure := guard(func() { user = m.set.Producer() })
	if failure == nil && user == nil {
		failure = &messages.PanicError{Value: "the Actor producer answered nil", Stack: debug.Stack()}
	}
	if failure != nil {
		m.broken = examine(failure)
		m.mu.Lock()
		m.hollow = true
		m.mu.Unlock()
		return
	}
	p.user = user
}

// HandleFailure is about the children of the user's actor. protoactor looks for it on the partition, which is there
// before the user's actor: it asks that one, if it decides about its children, and does else what protoactor would.
// The reason is what a child panicked with; it may be escalated to our own supervisor.
func (p *partition) HandleFailure(system *actor.ActorSystem, sup actor.Supervisor, child *actor.PID, rs *actor.RestartStatistics, reason, message any) {
	if err, ok := reason.(error); ok {
		reason = Sound(err)
	}
	strategy, ok := p.user.(actor.SupervisorStrategy)
	if !ok {
		strategy = actor.DefaultSupervisorStrategy()
	}
	strategy.HandleFailure(system, sup, child, rs, reason, message)
}

// vacantActor stands for the incarnation that a plain strategy has stopped: the partition is parked.
type vacantActor struct{}

// Receive ignores everything.
func (vacantActor) Receive(actor.Context) {}
