package actors

import (
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// inquiry is one question about a record. It is a process in protoactor's registry, whose PID is the question's sender, so
// that the reply comes here. It ends once: with a reply, with its time, or given up.
//
// protoactor's own Future is one, too, but writes its result without the lock under which its timer writes, and takes
// any system message for a reply.
type inquiry struct {
	system *actor.ActorSystem
	asker  *actor.PID
	pid    *actor.PID // its own

	mu     sync.Mutex       // taken under a mailbox's lock; calls nothing
	record *messages.Record // nil: it has ended, and pins nothing although somebody may keep the PID
	timer  *time.Timer
}

// inquire registers a new inquiry.
func inquire(system *actor.ActorSystem, asker *actor.PID, rec *messages.Record) *inquiry {
	i := &inquiry{system: system, asker: asker, record: rec}
	i.pid, _ = system.ProcessRegistry.Add(i, "ask"+system.ProcessRegistry.NextId()) // such an id is never given twice
	return i
}

// limit begins the inquiry's time.
func (i *inquiry) limit(timeout time.Duration, asked string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.timer = time.AfterFunc(timeout, func() {
		i.end(nil, fmt.Errorf("%w from %s within %v", messages.ErrNoReply, asked, timeout))
	})
}

// SendUserMessage takes the reply.
func (i *inquiry) SendUserMessage(_ *actor.PID, message any) {
	_, reply, _ := actor.UnwrapEnvelope(message)
	if _, ok := reply.(*actor.DeadLetterResponse); ok {
		i.end(nil, messages.ErrNoActor)
		return
	}
	i.end(reply, nil)
}

// SendSystemMessage takes nothing: who watches it is not told of its end.
func (i *inquiry) SendSystemMessage(*actor.PID, any) {}

// Stop gives it up, with an Answer.
func (i *inquiry) Stop(*actor.PID) {
	i.end(nil, fmt.Errorf("%w: the question's own PID was stopped", messages.ErrNoReply))
}

// end sends the Answer, unless it has ended before or nobody waits for it. What happens to the record while the Answer is
// under way is looked at again when the actor receives it.
func (i *inquiry) end(reply any, err error) {
	if rec := i.over(); rec != nil && rec.Stale() == nil {
		i.system.Root.Send(i.asker, &messages.Answer{Record: rec, Value: reply, Err: err})
	}
}

// over ends it. It answers the record to the one who has ended it, and nil to all others.
func (i *inquiry) over() *messages.Record {
	i.mu.Lock()
	rec, timer := i.record, i.timer
	i.record = nil
	i.mu.Unlock()
	if rec == nil {
		return nil
	}
	if timer != nil {
		timer.Stop()
	}
	i.system.ProcessRegistry.Remove(i.pid)
	return rec
}

// ended says whether it has ended.
func (i *inquiry) ended() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.record == nil
}
