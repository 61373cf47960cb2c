// Package middleware has handlers that are put around a consumer's handler: they time it, bring a record's request id and
// trace into the calls that it makes, and pass over what was handled already.
//
//	cfg.Handler = middleware.Chain(handle,
//		middleware.Timing(observe),
//		middleware.RequestID(),
//		middleware.Trace(nil),
//		middleware.Dedup(10_000, middleware.ByHeader("event-id")),
//	)
//
// None of them turns a panic into an error: what a panic means is the policy's to say. And none of them retries, for the same
// reason. A middleware of your own is a [Middleware], four lines long.
//
// A custom actor calls none of them; what they do is a line each there.
package middleware
