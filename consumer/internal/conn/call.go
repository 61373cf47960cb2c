package conn

import (
	"context"
	"fmt"
)

// send makes one request on c and cuts the connection when ctx ends before the answer. intact is false when the
// connection must not be used again.
func send[T any](ctx context.Context, c Conn, addr string, f func(Conn) (T, error)) (v T, intact bool, err error) {
	stop := context.AfterFunc(ctx, c.Kill)
	v, err = f(c)
	intact = stop() && err == nil // the end of ctx may have overtaken a good answer
	switch {
	case err == nil:
		return v, intact, nil
	case ctx.Err() != nil:
		return v, false, silent(addr, context.Cause(ctx))
	default:
		return v, false, fmt.Errorf("broker %s: %w", addr, err)
	}
}

// silent is the error of a request that was cut because its time was over.
func silent(addr string, cause error) error {
	return fmt.Errorf("broker %s does not answer: %w", addr, cause)
}
