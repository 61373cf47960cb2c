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

// incarnate runs in whoever spawns or restarts the actor: a producer that panics must not take the supervisor
// with it. The failure shows in Started instead, where it goes through the policy.
func (m *Mailbox) incarnate() (made actor.Actor) {
	m.mu.Lock()
	vacant := m.vacant
	m.hollow = vacant
	m.mu.Unlock()
	switch {
	case m.set.Handler != nil: // also when vacant: records do not come, but its hooks are called
		return &handlerActor{m}
	case vacant:
		return vacantActor{}
	}
	user, failure := m.produce()
	if failure != nil {
		m.mu.Lock()
		m.hollow = true
		m.mu.Unlock()
		return &brokenActor{m, failure}
	}
	p := partition{mailbox: m, user: user}
	if strategy, ok := user.(actor.SupervisorStrategy); ok {
		return &strategicPartition{p, strategy}
	}
	return &p
}

func (m *Mailbox) produce() (user actor.Actor, failure *messages.PanicError) {
	failure = guard(func() { user = m.set.Producer() })
	if failure == nil && user == nil {
		failure = &messages.PanicError{Value: "the Actor producer answered nil", Stack: debug.Stack()}
	}
	return user, failure
}

// guard runs user code in a goroutine of its own and waits for it, where neither a panic nor a Goexit may reach
// protoactor: in Stopping and Stopped they would leave an actor that never ends, in Restarting one that is
// neither old nor new.
func guard(code func()) (failure *messages.PanicError) {
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
	return <-ended
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

// partition wraps the user's actor, so that nothing it does in its last moments can harm. It does not implement
// actor.SupervisorStrategy: protoactor looks for that on the actor, and would then ask it about children.
type partition struct {
	mailbox *Mailbox
	user    actor.Actor
	ending  bool // Stopping or Restarting was handed over
}

// Receive hands everything on. An actor that is ending gets Terminated for its children, too: protoactor looks only
// after Receive has returned whether that was the last one it waits for.
func (p *partition) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Stopping, *actor.Restarting:
		p.ending = true
	}
	if !p.ending {
		p.user.Receive(ctx)
		return
	}
	if err := guard(func() { p.user.Receive(ctx) }); err != nil {
		p.mailbox.set.Tell(Report{Farewell: Sound(err)})
	}
}

// strategicPartition is the partition of a user's actor that decides about its own children.
type strategicPartition struct {
	partition
	actor.SupervisorStrategy
}

// brokenActor stands for an incarnation whose producer panicked.
type brokenActor struct {
	mailbox *Mailbox
	failure *messages.PanicError
}

// Receive fails in Started, where a failure goes through the policy.
func (b *brokenActor) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok {
		b.mailbox.broken = examine(b.failure)
	}
}

// vacantActor stands for the incarnation that a plain strategy has stopped: the partition is parked.
type vacantActor struct{}

// Receive ignores everything.
func (vacantActor) Receive(actor.Context) {}
