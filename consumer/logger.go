package consumer

import (
	"context"
	"log/slog"
	"time"

	"github.com/ottla-go/ottla/actors"
)

// unfailing is l with a handler that cannot harm: a panic in it, or runtime.Goexit, costs the line. It logs for the member, the
// source and the committer in goroutines that nobody could put in their place, and for the supervisor while that deals with
// another fault. A handler that does not return is waited for, as ever.
func unfailing(l *slog.Logger) *slog.Logger {
	if l == nil {
		return nil
	}
	if _, already := l.Handler().(unfailingHandler); already {
		return l
	}
	return slog.New(unfailingHandler{l.Handler()})
}

type unfailingHandler struct{ slog.Handler }

// guarded runs code of the handler's in a goroutine of its own, which it may end: there are few lines.
func (h unfailingHandler) guarded(code func() error) error {
	return actors.Guarded(context.Background(), code)
}

// Enabled implements slog.Handler: not, if that fails.
func (h unfailingHandler) Enabled(ctx context.Context, level slog.Level) (yes bool) {
	err := h.guarded(func() error {
		yes = h.Handler.Enabled(ctx, level)
		return nil
	})
	return yes && err == nil
}

// Handle implements slog.Handler. What has failed is told in the line's place, if that does not fail, too.
func (h unfailingHandler) Handle(ctx context.Context, r slog.Record) error {
	panicked := true
	err := h.guarded(func() error {
		err := h.Handler.Handle(ctx, r)
		panicked = false
		return err
	})
	if panicked {
		lost := slog.NewRecord(time.Now(), slog.LevelError, "the Logger's handler failed: a line is lost", r.PC)
		lost.AddAttrs(slog.String("line", r.Message), slog.Any("error", err))
		_ = h.guarded(func() error { return h.Handler.Handle(ctx, lost) })
	}
	return err
}

// WithAttrs implements slog.Handler: without them, if that fails.
func (h unfailingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.derived(func() slog.Handler { return h.Handler.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler: without it, if that fails.
func (h unfailingHandler) WithGroup(name string) slog.Handler {
	return h.derived(func() slog.Handler { return h.Handler.WithGroup(name) })
}

func (h unfailingHandler) derived(derive func() slog.Handler) slog.Handler {
	made := h.Handler
	_ = h.guarded(func() error {
		if with := derive(); with != nil {
			made = with
		}
		return nil
	})
	return unfailingHandler{made}
}
