package consumertest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Log is one line that the consumer has logged.
type Log struct {
	Time    time.Time
	Level   slog.Level
	Message string
	Fields  map[string]string // names of groups are joined with dots
	text    string
}

// String is the line.
func (l Log) String() string { return l.text }

// logbook gathers log lines.
type logbook struct {
	mu    sync.Mutex
	lines []Log
}

func (b *logbook) all() []Log {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Log(nil), b.lines...)
}

// handler writes to the book, and to the logger of the Config where it has one.
func (b *logbook) handler(also *slog.Logger) slog.Handler {
	h := &logHandler{book: b}
	if also != nil {
		h.also = also.Handler()
	}
	return h
}

// logHandler implements slog.Handler.
type logHandler struct {
	book   *logbook
	also   slog.Handler
	prefix string
	attrs  []slog.Attr
}

// Enabled implements slog.Handler: every level is kept.
func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	line := Log{Time: r.Time, Level: r.Level, Message: r.Message, Fields: map[string]string{}}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %s", r.Time.Format("15:04:05.000"), r.Level, r.Message)
	add := func(a slog.Attr) { line.add(&text, "", a) }
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(func(a slog.Attr) bool {
		line.add(&text, h.prefix, a)
		return true
	})
	line.text = text.String()
	h.book.mu.Lock()
	h.book.lines = append(h.book.lines, line)
	h.book.mu.Unlock()
	if h.also != nil && h.also.Enabled(ctx, r.Level) {
		return h.also.Handle(ctx, r)
	}
	return nil
}

func (l *Log) add(text *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, in := range v.Group() {
			l.add(text, prefix, in)
		}
		return
	}
	l.Fields[prefix+a.Key] = v.String()
	fmt.Fprintf(text, " %s%s=%q", prefix, a.Key, v.String())
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = append([]slog.Attr(nil), h.attrs...)
	for _, a := range attrs {
		a.Key = h.prefix + a.Key
		with.attrs = append(with.attrs, a)
	}
	if h.also != nil {
		with.also = h.also.WithAttrs(attrs)
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.prefix += name + "."
	if h.also != nil {
		with.also = h.also.WithGroup(name)
	}
	return &with
}
