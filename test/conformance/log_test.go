package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal takes the log of all members of a scenario: it is searched by tests, and shown when one fails.
type journal struct {
	mu    sync.Mutex
	lines []string
}

// kept is how many lines are remembered, the last ones.
const kept = 4000

// newJournal makes a journal that is printed when the test has failed.
func newJournal(t testing.TB) *journal {
	j := &journal{}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		shown := j.lines
		if os.Getenv("OTTLA_TEST_LOG") == "" {
			shown = shown[max(0, len(shown)-150):] // OTTLA_TEST_LOG=1: all of them
		}
		t.Logf("the members' last %d lines of %d:\n%s", len(shown), len(j.lines), strings.Join(shown, "\n"))
	})
	return j
}

// logger is one member's.
func (j *journal) logger(member string) *slog.Logger {
	return slog.New(&scribe{journal: j, prefix: member})
}

// note writes a line of the scenario itself.
func (j *journal) note(format string, args ...any) { j.write("----", fmt.Sprintf(format, args...)) }

func (j *journal) write(who, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) >= kept {
		j.lines = append(j.lines[:0], j.lines[kept/2:]...)
	}
	j.lines = append(j.lines, fmt.Sprintf("%s %s %s", time.Now().Format(clock), who, text))
}

// count is the number of lines that have all of the parts.
func (j *journal) count(parts ...string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			n++
		}
	}
	return n
}

// scribe is a slog.Handler that writes to the journal.
type scribe struct {
	journal *journal
	prefix  string
	attrs   string
}

// Enabled takes everything from Info on.
func (s *scribe) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle writes one line.
func (s *scribe) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Level.String())
	b.WriteByte(' ')
	b.WriteString(r.Message)
	b.WriteString(s.attrs)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s", a)
		return true
	})
	s.journal.write(s.prefix, strings.ReplaceAll(b.String(), "\n", "⏎"))
	return nil
}

// WithAttrs adds to every line.
func (s *scribe) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *s
	for _, a := range attrs {
		with.attrs += " " + a.String()
	}
	return &with
}

// WithGroup is not needed for reading.
func (s *scribe) WithGroup(string) slog.Handler { return s }
