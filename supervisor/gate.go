package supervisor

import (
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// gate is the supervisor's mailbox: protoactor's own, but that a PoisonPill, a Stop and a Restart from outside
// become a wish to leave, and are handed on when the group has been left. protoactor's stop cannot wait for a
// commit and a leave.
type gate struct {
	actor.Mailbox

	mu   sync.Mutex
	open bool
	gone bool // a Stop was handed on: protoactor would resurrect an actor that finds a Restart behind it
	over bool // the incarnation has ended by itself, and its parent is asked what is to become of it
	held any  // *actor.Stop or *actor.Restart
	wish *leaveRequest
}

// leaveRequest is what the gate delivers instead. It is void when what was held has passed: the incarnation that it was
// meant for has ended, and a Restart that comes in that moment would have the fresh one leave, too.
type leaveRequest struct{ void atomic.Bool }

// openGate is the supervisor's word to its own gate that the group has been left. It travels as a system message,
// because an actor has no other way to its mailbox; the call returns when it has passed.
type openGate struct {
	stop bool  // the actor is to stop if nobody has said anything else
	held *bool // answers whether anybody has
}

func newGate() *gate { return &gate{Mailbox: actor.Unbounded()()} }

// RegisterHandlers puts an invoker around the supervisor.
func (g *gate) RegisterHandlers(i actor.MessageInvoker, d actor.Dispatcher) {
	g.Mailbox.RegisterHandlers(&invoker{MessageInvoker: i, inner: g.Mailbox}, dispatcher{d})
}

// PostUserMessage holds back a PoisonPill.
func (g *gate) PostUserMessage(message any) {
	if _, ok := message.(*actor.PoisonPill); ok {
		g.PostSystemMessage(&actor.Stop{})
		return
	}
	g.Mailbox.PostUserMessage(message)
}

// PostSystemMessage holds back a Stop and a Restart.
func (g *gate) PostSystemMessage(message any) {
	switch msg := message.(type) {
	case *actor.Stop, *actor.Restart:
	case openGate:
		g.pass(msg)
		return
	case *actor.ResumeMailbox:
		g.Mailbox.PostSystemMessage(message)
		g.mu.Lock()
		over := g.over
		g.mu.Unlock()
		if over { // a parent that resumes a consumer which has ended: it cannot go on, so it stops
			g.PostSystemMessage(&actor.Stop{})
		}
		return
	default:
		g.Mailbox.PostSystemMessage(message)
		return
	}
	g.mu.Lock()
	_, again := message.(*actor.Restart)
	if g.gone && again {
		g.mu.Unlock()
		return
	}
	if g.open {
		g.open, g.gone, g.over = !again, !again, false // a fresh incarnation has a group to leave
		g.mu.Unlock()
		g.Mailbox.PostSystemMessage(message)
		return
	}
	if _, stop := g.held.(*actor.Stop); !stop { // a Stop beats a Restart
		g.held = message
	}
	if g.wish == nil {
		g.wish = &leaveRequest{}
	}
	wish := g.wish
	g.mu.Unlock()
	g.Mailbox.PostUserMessage(wish)
}

// pass opens the gate and hands on what was held.
func (g *gate) pass(msg openGate) {
	g.mu.Lock()
	held, wish := g.held, g.wish
	g.held, g.wish = nil, nil
	if wish != nil {
		wish.void.Store(true)
	}
	if msg.held != nil {
		*msg.held = held != nil
	}
	if held == nil && msg.stop {
		held = &actor.Stop{}
	}
	g.over = held == nil
	_, again := held.(*actor.Restart)
	g.open, g.gone = !again, held != nil && !again
	g.mu.Unlock()
	if held != nil {
		g.Mailbox.PostSystemMessage(held)
	}
}
