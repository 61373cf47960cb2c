package middleware

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/ottla-go/ottla/consumer"
)

// Trace takes the trace that a record was produced in from its headers (W3C's traceparent, for example) into the context. A
// span that the handler starts then belongs to that trace, and so does what it calls with an instrumented client. nil stands
// for OpenTelemetry's global propagator, which does nothing until the program sets one.
func Trace(p propagation.TextMapPropagator) Middleware {
	return func(next consumer.Handler) consumer.Handler {
		return func(ctx context.Context, rec *consumer.Record) error {
			with := p
			if with == nil {
				with = otel.GetTextMapPropagator() // at each record: it may be set after the handler was made
			}
			return next(with.Extract(ctx, carrier{rec}), rec)
		}
	}
}

// carrier is a record's headers as a propagator reads them.
type carrier struct{ rec *consumer.Record }

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string {
	v, _ := c.rec.Header(key)
	return string(v)
}

// Set implements propagation.TextMapCarrier. A record is not written to.
func (c carrier) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c.rec.Headers))
	for _, h := range c.rec.Headers {
		keys = append(keys, h.Key)
	}
	return keys
}
