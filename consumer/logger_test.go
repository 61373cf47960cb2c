package consumer

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// moody is a handler that fails in one of its methods, as often as it is told.
type moody struct {
	*slog.JSONHandler
	*mood
}

type mood struct {
	method string
	exits  bool
	times  int
}

func (m *mood) at(method string) {
	if m.method != method || m.times == 0 {
		return
	}
	m.times--
	if m.exits {
		runtime.Goexit()
	}
	panic("a bad day")
}

func (m moody) Enabled(ctx context.Context, l slog.Level) bool {
	m.at("Enabled")
	return m.JSONHandler.Enabled(ctx, l)
}

func (m moody) Handle(ctx context.Context, r slog.Record) error {
	m.at("Handle")
	return m.JSONHandler.Handle(ctx, r)
}

func (m moody) WithAttrs(a []slog.Attr) slog.Handler { m.at("WithAttrs"); return m }
func (m moody) WithGroup(string) slog.Handler        { m.at("WithGroup"); return m }

// What a handler of the application's does costs its line, and nothing else: not the goroutine that logs, which may be the
// member's.
func TestALoggerThatPanics(t *testing.T) {
	for method, want := range map[string][]string{
		"Enabled":   {"second"},
		"Handle":    {"the Logger's handler failed: a line is lost", "second"},
		"WithAttrs": {"first", "second"},
		"WithGroup": {"first", "second"},
	} {
		for _, exits := range []bool{false, true} {
			var out strings.Builder
			l := unfailing(slog.New(moody{slog.NewJSONHandler(&out, nil), &mood{method, exits, 1}}))
			l = l.With("a", 1).WithGroup("g")
			l.Info("first")
			l.Info("second")
			var got []string
			for line := range strings.Lines(out.String()) {
				got = append(got, strings.Split(line, `"msg":"`)[1])
				got[len(got)-1], _, _ = strings.Cut(got[len(got)-1], `"`)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, exits %v: %q, want %q", method, exits, got, want)
			}
		}
	}
	var out strings.Builder
	l := unfailing(slog.New(moody{slog.NewJSONHandler(&out, nil), &mood{"Handle", false, -1}}))
	l.Info("always")
	if out.Len() > 0 {
		t.Errorf("wrote %s", out.String())
	}
	if unfailing(l) != l || unfailing(nil) != nil {
		t.Error("it is wrapped twice")
	}
}

// Whatever is made of a Config logs through it.
func TestTheLoggerIsGuardedEverywhere(t *testing.T) {
	cfg := Config{
		Brokers: []string{"127.0.0.1:1"}, Group: "g", Topics: []string{"t"},
		Handler: func(context.Context, *Record) error { return nil }, Logger: slog.New(slog.DiscardHandler),
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.set.Logger.Handler().(unfailingHandler); !ok {
		t.Errorf("the supervisor's is a %T", c.set.Logger.Handler())
	}
	if q, ok := c.sys.Logger().Handler().(quieter); !ok {
		t.Errorf("protoactor's is a %T", c.sys.Logger().Handler())
	} else if _, ok := q.Handler.(unfailingHandler); !ok {
		t.Errorf("protoactor's is a %T", q.Handler)
	}
}
