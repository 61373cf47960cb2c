package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// Ref is the operator's side of a consumer: the same for a Consumer and for one that is embedded as an actor. Its
// methods are safe for concurrent use, and can be called at any time.
type Ref struct {
	sys    *actor.ActorSystem
	pid    func() *actor.PID
	events *broadcast // nil: by subscription
}

// ErrNotRunning is what a Ref answers before Run and after the consumer's end.
var ErrNotRunning = errors.New("ottla: the consumer is not running")

// NewRef refers to the consumer that was spawned as pid.
func NewRef(sys *actor.ActorSystem, pid *actor.PID) Ref {
	return Ref{sys: sys, pid: func() *actor.PID { return pid }}
}

// PID is the consumer's actor; nil while it is not running, and of the zero Ref.
func (r Ref) PID() *actor.PID {
	if r.pid == nil {
		return nil
	}
	return r.pid()
}

// Status asks for the consumer's status. It is made from snapshots, and so is answered while handlers do not return.
func (r Ref) Status(ctx context.Context) (*messages.Status, error) {
	return ask[*messages.Status](ctx, r, &messages.GetStatus{})
}

// Do carries out an operator's command. The error is Result.Err, or says why no answer came.
func (r Ref) Do(ctx context.Context, cmd messages.Command) (*messages.Result, error) {
	res, err := ask[*messages.Result](ctx, r, cmd)
	if err != nil {
		return nil, err
	}
	return res, res.Err
}

// Send hands a message to the actor of a partition; nothing happens when this consumer does not own it.
func (r Ref) Send(topic string, partition int32, message any) error {
	pid := r.PID()
	if pid == nil {
		return ErrNotRunning
	}
	r.sys.Root.Send(pid, &messages.Forward{Topic: topic, Partition: partition, Message: message})
	return nil
}

// Shutdown drains the consumer and waits for its end, bounded by ctx and not by the 10 s of protoactor's
// PoisonFuture. nil when it has ended. By then it has left the group, or has not been answered in time; the log says
// whether the drain was clean.
func (r Ref) Shutdown(ctx context.Context) error {
	pid := r.PID()
	if pid == nil {
		return nil
	}
	ended := watch(r.sys, pid)
	r.sys.Root.Poison(pid)
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("ottla: the consumer still drains: %w", context.Cause(ctx))
	}
}

// Events sends what happens to the channel, from now on, until ctx ends or the consumer does; then the channel is
// closed. A Consumer's events can be asked for before Run, and then none is missed at the beginning. A slow reader never slows
// the consumer down: events that find the buffer full are dropped, and their number is told as *messages.Missed before
// the next one that finds room. buffer is 1 at least; 1,000 are a few hundred kilobytes.
func (r Ref) Events(ctx context.Context, buffer int) <-chan messages.Event {
	if r.events != nil {
		return r.events.listen(ctx, buffer)
	}
	o := newOutlet(buffer)
	pid := r.PID()
	if pid == nil {
		o.end()
		return o.out
	}
	reader := r.sys.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) { // this actor owns the outlet
		switch e := c.Message().(type) {
		case *actor.Started:
			c.Watch(pid)
			c.Request(pid, &messages.Subscribe{})
		case *actor.Terminated:
			c.Stop(c.Self())
		case *actor.Stopped:
			o.end()
		case messages.Event:
			o.put(e)
		}
	}))
	context.AfterFunc(ctx, func() { r.sys.Root.Stop(reader) })
	return o.out
}

// ask sends a request and waits for the answer, bounded by ctx.
func ask[T any](ctx context.Context, r Ref, question any) (answer T, err error) {
	pid := r.PID()
	if pid == nil {
		return answer, ErrNotRunning
	}
	if err := ctx.Err(); err != nil {
		return answer, err
	}
	got := make(chan any, 1)
	tell := func(m any) {
		select {
		case got <- m:
		default: // the end of the consumer behind an answer, or behind an asker who has gone
		}
	}
	reader := r.sys.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch m := c.Message().(type) {
		case *actor.Started:
			c.Watch(pid)
			c.Request(pid, question)
		case *actor.Terminated:
			tell(ErrNotRunning)
			c.Stop(c.Self())
		case *actor.DeadLetterResponse:
			tell(ErrNotRunning)
			c.Stop(c.Self())
		case T:
			tell(m)
			c.Stop(c.Self())
		}
	}))
	select {
	case m := <-got:
		if err, failed := m.(error); failed {
			return answer, err
		}
		answer, _ = m.(T) // nothing else is sent
		return answer, nil
	case <-ctx.Done():
		r.sys.Root.Stop(reader)
		return answer, fmt.Errorf("ottla: no answer from the consumer: %w", context.Cause(ctx))
	}
}

// watch is closed when the actor has ended. A watch that comes while it ends is answered at once by protoactor, so
// it has to come before the stop.
func watch(sys *actor.ActorSystem, pid *actor.PID) <-chan struct{} {
	ended := make(chan struct{})
	sys.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch c.Message().(type) {
		case *actor.Started:
			c.Watch(pid)
		case *actor.Terminated:
			close(ended)
			c.Stop(c.Self())
		}
	}))
	return ended
}
