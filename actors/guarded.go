package actors

import "context"

// Guarded runs user code that is called beside the actors, as an offset store is: a panic, or runtime.Goexit, is an error.
// Code that does not return when ctx ends is left behind, as an abandoned handler is: nobody could end it, and a claim's
// end must not wait for it.
func Guarded(ctx context.Context, f func() error) error {
	var err error
	select {
	case failure := <-guarded(func() { err = f() }):
		if failure != nil {
			return failure
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
