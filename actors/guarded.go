package actors

import (
	"context"
	"runtime/debug"

	"github.com/ottla-go/ottla/messages"
)

// Guarded runs user code that is called beside the actors, as an offset store is: a panic, or runtime.Goexit, is an error.
// Code that does not return when ctx ends is left
// behind, as an abandoned handler is: nobody could end it, and a claim's end must not wait for it.
func Guarded(ctx context.Context, f func() error) error {
	answer := make(chan error, 1)
	go func() { // a goroutine of its own, because Goexit would end ours
		err := error(&messages.PanicError{Value: messages.Goexit})
		defer func() {
			if r := recover(); r != nil {
				err = &messages.PanicError{Value: r, Stack: debug.Stack()}
			}
			answer <- err
		}()
		err = f()
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
