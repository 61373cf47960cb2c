package actors

import (
	"context"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// incarnate runs in whoever spawns or restarts the actor, the supervisor for one: no user code runs here.
func (m *Mailbox) incarnate() actor.Actor {
	m.mu.Lock()
	vacant := m.vacant
	m.hollow = vacant
	m.renewed, m.restarting = m.restarting, false
	m.mu.Unlock()
	switch {
	case m.set.Handler != nil: // also when vacant: records do not come, but its hooks are called
		return &handlerActor{m}
	case vacant:
		return vacantActor{}
	}
	return &partition{mailbox: m}
}

// reincarnate ends what belongs to the old incarnation. A record that is open with it is delivered again, as
// the next attempt: its old pointer is stale.
func (m *Mailbox) reincarnate() {
	if a := &m.attempt; a.record != nil {
		if a.answered && a.outcome == nil {
			if a.probe {
				m.set.Breaker.succeed(m)
			}
			m.finish(a.record)
		} else {
			m.backlog.Fail(a.record.Offset, a.record.Redeliver())
			m.push(false) // the attempts are the next owner's, too
		}
		a.clear()
	}
	m.set.Breaker.abort(m) // it comes again without a verdict
	m.fault, m.unasked, m.about = nil, nil, nil
	m.incarnation++
	m.greet, m.greeted = m.opened, false
	m.endCurrent(messages.ErrAnswered)
	m.conceive()
}

// conceive makes what an incarnation's attempts have in common.
func (m *Mailbox) conceive() {
	m.current, m.endCurrent = context.WithCancelCause(m.claim)
	m.delivery = messages.NewDelivery(m.current, m)
}

// restarted is the Resume that protoactor posts when a fresh incarnation is there, just before its Started. It answers
// no question, and must be told from the one that does: with two restarts in a row, the older one's Resume comes when
// the newer incarnation has failed already.
type restarted struct{}
