package middleware

import (
	"context"
	"time"

	"github.com/ottla-go/ottla/consumer"
)

// Timing tells observe how long each attempt took, and what it came to. It is told of an attempt that panics, too: err is
// nil then, and panicked true. observe is called on the handler's goroutine, by many at once, and is part of the attempt: it
// must be quick.
func Timing(observe func(rec *consumer.Record, took time.Duration, err error, panicked bool)) Middleware {
	return func(next consumer.Handler) consumer.Handler {
		return func(ctx context.Context, rec *consumer.Record) (err error) {
			began, panicked := time.Now(), true
			defer func() { observe(rec, time.Since(began), err, panicked) }()
			err = next(ctx, rec)
			panicked = false
			return err
		}
	}
}
