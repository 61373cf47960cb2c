package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// seen is a note, and when it came.
type seen struct {
	note
	at time.Time
}

// process is a consumer's. It is safe for concurrent use.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	stderr *bytes.Buffer
	ended  chan struct{} // closed when it has ended; then err says how
	err    error

	mu      sync.Mutex
	notes   []seen
	changed chan struct{}
}

// start begins a consumer in a process of its own. It is ended, however, by kill, or with ctx.
func start(ctx context.Context, t task) (*process, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, os.Args[0]), stderr: &bytes.Buffer{}, ended: make(chan struct{}), changed: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	p.cmd.Stderr = p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		p.read(out)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// read takes all notes, until the process has closed its end of the pipe.
func (p *process) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var n note
		if json.Unmarshal(lines.Bytes(), &n) != nil {
			continue
		}
		p.mu.Lock()
		p.notes = append(p.notes, seen{n, time.Now()})
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
}

// all are the notes until now.
func (p *process) all() []seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clip(p.notes)
}

// await waits for notes that satisfy; false: the process has ended before, or the time was over.
func (p *process) await(within time.Duration, satisfied func([]seen) bool) bool {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		p.mu.Lock()
		notes, changed := slices.Clip(p.notes), p.changed
		p.mu.Unlock()
		if satisfied(notes) {
			return true
		}
		select {
		case <-changed:
		case <-p.ended:
			return satisfied(p.all())
		case <-late.C:
			return false
		}
	}
}

// stop asks the consumer to end, and says how long that took; false: it has not, within the time.
func (p *process) stop(within time.Duration) (took time.Duration, ended bool) {
	begun := time.Now()
	_, _ = io.WriteString(p.in, "stop\n") // one that has ended does not read it
	select {
	case <-p.ended:
		return time.Since(begun), true
	case <-time.After(within):
		return 0, false
	}
}

// kill ends it in any case, and waits for that.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// alive says whether it has not ended.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// last words of a process that has ended.
func (p *process) last() string {
	why, _, _ := strings.Cut(strings.TrimSpace(p.stderr.String()), "\n")
	if p.err == nil && why == "" {
		return "without an error"
	}
	return fmt.Sprintf("%v: %s", p.err, cut(why))
}

// cut makes a text fit for a table.
func cut(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 110 {
		return string(runes[:110]) + "…"
	}
	return text
}
