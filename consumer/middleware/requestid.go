package middleware

import (
	"context"
	"net/http"

	"golang.org/x/net/http/httpguts"

	"github.com/ottla-go/ottla/consumer"
)

type requestID struct{}

// RequestID puts the record's request id into the context, where [RequestIDOf] and [Transport] find it.
func RequestID() Middleware {
	return func(next consumer.Handler) consumer.Handler {
		return func(ctx context.Context, rec *consumer.Record) error {
			return next(context.WithValue(ctx, requestID{}, rec.RequestID()), rec)
		}
	}
}

// RequestIDOf is the request id in a context; empty where there is none.
func RequestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestID{}).(string)
	return id
}

// Transport sends the request id of a request's context with it, unless the request has that header already.
type Transport struct {
	// Base does the rest; default http.DefaultTransport.
	Base http.RoundTripper
	// Header is its name; default X-Request-ID.
	Header string
}

// RoundTrip implements http.RoundTripper. An id that no header may have is left out: a record's is anybody's text, and must not
// fail the call.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	base, header := t.Base, t.Header
	if base == nil {
		base = http.DefaultTransport
	}
	if header == "" {
		header = "X-Request-ID"
	}
	if id := RequestIDOf(r.Context()); id != "" && httpguts.ValidHeaderFieldValue(id) && r.Header.Get(header) == "" {
		r = r.Clone(r.Context()) // a RoundTripper must not change the request
		r.Header.Set(header, id)
	}
	return base.RoundTrip(r)
}
