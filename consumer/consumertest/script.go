package consumertest

import (
	"context"
	"runtime"
	"sync"
	"testing/synctest"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// Outcome is what a handler does with one delivery. Any function of the type can stand in a Script.
type Outcome func(ctx context.Context, r *messages.Record) error

// OK finishes the record.
func OK() Outcome { return func(context.Context, *messages.Record) error { return nil } }

// Fail answers err: a failure, or an outcome such as messages.SeekTo.
func Fail(err error) Outcome { return func(context.Context, *messages.Record) error { return err } }

// Panic panics.
func Panic(value any) Outcome {
	return func(context.Context, *messages.Record) error {
		panic(value) //nolint:forbidigo // a test asks for it
	}
}

// Goexit ends its goroutine, as t.FailNow does.
func Goexit() Outcome {
	return func(context.Context, *messages.Record) error {
		runtime.Goexit()
		return nil
	}
}

// Block does not return, whatever becomes of its context, until Partition.Release, or the end of the test. Then the
// record is finished; see Then for another end. In a test without a Kit it returns when the context ends.
func Block() Outcome {
	return func(ctx context.Context, r *messages.Record) error {
		if k, ok := open.Load(r); ok {
			k.(*Kit).block(r) //nolint:forcetypeassert,errcheck // nothing else is stored
			return nil
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
}

// UntilCancelled waits for the end of the context and answers its cause, as a handler does that heeds it.
func UntilCancelled() Outcome {
	return func(ctx context.Context, _ *messages.Record) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
}

// Work takes virtual time, whatever becomes of its context, and finishes the record; see Then for another end.
func Work(d time.Duration) Outcome {
	return func(context.Context, *messages.Record) error {
		time.Sleep(d)
		return nil
	}
}

// Then does the one and, if that finished, the other.
func (o Outcome) Then(next Outcome) Outcome {
	return func(ctx context.Context, r *messages.Record) error {
		if err := o(ctx, r); err != nil {
			return err
		}
		return next(ctx, r)
	}
}

// Script is a handler that does one step for each delivery, of whatever partition, in the order in which they come.
// After the last step everything is finished.
func Script(steps ...Outcome) consumer.Handler {
	var mu sync.Mutex
	return func(ctx context.Context, r *messages.Record) error {
		mu.Lock()
		step := OK()
		if len(steps) > 0 {
			step, steps = steps[0], steps[1:]
		}
		mu.Unlock()
		return step(ctx, r)
	}
}

// open has the kit of each delivery under way, by *messages.Record: a handler is given nothing that an ordinary one is
// not given.
var open sync.Map

// blocked is a handler in Block.
type blocked struct {
	at   place
	pass chan struct{}
}

func (k *Kit) block(r *messages.Record) {
	b := &blocked{at: place{r.Topic, r.Partition}, pass: make(chan struct{})}
	k.mu.Lock()
	if k.releasing {
		close(b.pass)
	} else {
		k.blocked = append(k.blocked, b)
	}
	k.mu.Unlock()
	<-b.pass
}

// release lets those go on that are meant.
func (k *Kit) release(meant func(*blocked) bool) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var left []*blocked
	for _, b := range k.blocked {
		if !meant(b) {
			left = append(left, b)
			continue
		}
		close(b.pass)
		n++
	}
	k.blocked = left
	return n
}

// releaseAll is for the end of the test.
func (k *Kit) releaseAll() {
	k.mu.Lock()
	k.releasing = true
	k.mu.Unlock()
	k.release(func(*blocked) bool { return true })
	synctest.Wait()
}
