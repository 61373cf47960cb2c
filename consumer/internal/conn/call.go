package conn

import (
	"context"
	"errors"
	"fmt"

	"github.com/ottla-go/ottla/consumer/internal/security"
)

// send makes one request on c and cuts the connection when ctx ends before the answer. intact is false when the
// connection must not be used again.
func send[T any](ctx context.Context, c Conn, addr string, f func(Conn) (T, error)) (v T, intact bool, err error) {
	stop := context.AfterFunc(ctx, c.Kill)
	v, err = f(c)
	intact = stop() && err == nil // the end of ctx may have overtaken a good answer
	if b, ok := c.(*Broker); ok && err != nil {
		if refused := b.Refused(); refused != nil {
			err = refused
		}
	}
	switch {
	case err == nil:
		return v, intact, nil
	case errors.Is(err, security.ErrToken) && ctx.Err() != nil: // it is not the broker that was waited for
		return v, false, fmt.Errorf("broker %s: %w: %w", addr, err, context.Cause(ctx))
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
