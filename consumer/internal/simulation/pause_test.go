package simulation

import (
	"sync"
	"time"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// gate is where the goroutines of a process that is paused come to a stop, as all of them do at SIGSTOP. A bubble has one
// clock, and nobody can stop a goroutine from outside: so each of them stops the next time that it meets the world. That
// is where it sends a request or reads an answer, calls a handler or comes back from it, tells the supervisor what the
// group has said, fetches, asks the store, or tells an event. What it does between two of these is as if it had been
// done before the pause, but for one thing: its timers go off in the pause, and not after it. The step simulation of
// package member stops a process in any place, timers included.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil: open
	thawed time.Time
}

// pass waits until the process goes on. It is called without a lock.
func (g *gate) pass() {
	for {
		g.mu.Lock()
		closed := g.closed
		g.mu.Unlock()
		if closed == nil {
			return
		}
		<-closed
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed, g.thawed = nil, time.Now()
	}
}

func (g *gate) paused() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed != nil
}

// dazed: the process is paused, or goes on at this very instant, in which it cannot have looked at its clock yet. What it
// does beside a new owner until then is nobody's fault: that is what fences are for.
func (g *gate) dazed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed != nil || g.thawed.Equal(time.Now())
}

// since says whether it was paused at t or later.
func (g *gate) since(t time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed != nil || !g.thawed.Before(t)
}

// pause stops the process for a while.
func (p *process) pause(d time.Duration) {
	p.world.ledger.note("%s is stopped", p.name)
	p.gate.shut()
	p.world.later(d, func() {
		p.world.ledger.note("%s goes on", p.name)
		p.gate.open()
		p.reader.wake()
	})
}

// gated is the inbox of a process that may be paused; what the member tells waits, and the member with it.
type gated struct {
	supervisor.Inbox

	gate *gate
}

func (g gated) Joined(member string, generation int32) {
	g.gate.pass()
	g.Inbox.Joined(member, generation)
}

func (g gated) Assigned(all []messages.Claim) {
	g.gate.pass()
	g.Inbox.Assigned(all)
}

func (g gated) Revoked(all []messages.Claim, deadline time.Time) {
	g.gate.pass()
	g.Inbox.Revoked(all, deadline)
}

func (g gated) Lost(all []messages.Claim, err error) {
	g.gate.pass()
	g.Inbox.Lost(all, err)
}

func (g gated) Ended(err error) {
	g.gate.pass()
	g.Inbox.Ended(err)
}
