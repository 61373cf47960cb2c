package committer

import (
	"context"
	"runtime/debug"

	"github.com/ottla-go/ottla/messages"
)

// guard runs a user's code: a panic, or runtime.Goexit, is an error. Code that does not return when ctx ends is left
// behind, as an abandoned handler is: nobody could end it, and a claim's end must not wait for it.
func guard(ctx context.Context, f func() error) error {
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
