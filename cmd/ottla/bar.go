package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ottla-go/ottla/consumer/deadletters"
)

// bar shows on a terminal how far a replay has come. Where there is no terminal it shows nothing.
type bar struct {
	out   io.Writer
	on    bool
	shown time.Time
	step  deadletters.Step
}

const barWidth = 40

func newBar(w io.Writer) *bar {
	b := &bar{out: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		b.on = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

// show draws it anew, a few times a second.
func (b *bar) show(p deadletters.Progress) {
	if !b.on || time.Since(b.shown) < 200*time.Millisecond && b.step == p.Step {
		return
	}
	if b.shown = time.Now(); b.step != p.Step {
		b.end()
		b.step = p.Step
	}
	_, _ = fmt.Fprint(b.out, "\r", drawn(p))
}

// end leaves the line.
func (b *bar) end() {
	if b.on && b.step != "" {
		_, _ = fmt.Fprintln(b.out)
	}
}

func drawn(p deadletters.Progress) string {
	if p.Step == deadletters.StepReplayed { // nobody knows how much there is
		return fmt.Sprintf("looking for what was replayed before: %d records", p.Read)
	}
	done := int64(barWidth)
	if p.Of > 0 {
		done = barWidth * p.Read / p.Of
	}
	return fmt.Sprintf("[%s%s] %d of %d", strings.Repeat("#", int(done)), strings.Repeat(".", int(barWidth-done)), p.Read, p.Of) + " offsets, " + string(p.Step)
}
