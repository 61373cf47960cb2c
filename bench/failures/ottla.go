package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/supervisor"
)

// withOttla is the consumer of docs/getting-started.md.
func withOttla(ctx context.Context, t task, w *work) error {
	cfg := consumer.Config{
		Brokers: t.Brokers, Group: t.Group, Topics: []string{t.Topic},
		Handler: consumer.Typed(
			func(r *consumer.Record) (order, error) { return w.decode(r.Partition, r.Offset, r.Value) },
			func(ctx context.Context, r *consumer.Record, o order) error {
				return w.do(ctx, r.Partition, r.Offset, o)
			},
		),
		HeartbeatInterval: heartbeat, SessionTimeout: sessionTimeout, RebalanceTimeout: rebalanceTimeout, DrainTimeout: stopTimeout,
		StuckAfter: time.Second,
		Logger:     slog.New(tellingHandler{w}),
	}
	switch t.Consumer {
	case ottlaSet:
		cfg.Policy = supervisor.Policy{
			supervisor.On(supervisor.Decode(), supervisor.DeadLetter(t.DLT)),
			supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(100*time.Millisecond)).Times(3), supervisor.DeadLetter(t.DLT)),
		}
	case ottlaRetry:
		cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(longBackoff)))}
	}
	c, err := consumer.New(cfg)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// tellingHandler passes on what is logged as a warning or an error.
type tellingHandler struct{ *work }

func (tellingHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (h tellingHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" || a.Key == "cause" || a.Key == "err" {
			text += ": " + a.Value.String()
		}
		return true
	})
	h.report(text)
	return nil
}
func (h tellingHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h tellingHandler) WithGroup(string) slog.Handler      { return h }
