package committer

import (
	"runtime/debug"

	"github.com/ottla-go/ottla/messages"
)

// guard runs a user's code: a panic, or runtime.Goexit, is an error. It waits for the code's end.
func guard(f func() error) error {
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
	return <-answer
}
