package middleware

import "github.com/ottla-go/ottla/consumer"

// Middleware makes a handler of another one, which it calls, or not.
type Middleware func(next consumer.Handler) consumer.Handler

// Chain puts middleware around a handler: the first is the outermost, and sees a record first and its outcome last.
func Chain(h consumer.Handler, around ...Middleware) consumer.Handler {
	for i := len(around) - 1; i >= 0; i-- {
		h = around[i](h)
	}
	return h
}
