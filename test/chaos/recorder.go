package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// recorder writes the history down while it happens, and everything that is said into one file.
type recorder struct {
	begin time.Time
	name  string // of the file

	mu      sync.Mutex
	stall   time.Duration // by how much a timer of ours was late at most: the machine is busy
	history history
	file    *os.File
	out     *bufio.Writer
}

func newRecorder(dir string) (*recorder, error) {
	r := &recorder{begin: time.Now(), name: filepath.Join(dir, "story.log")}
	var err error
	if r.file, err = os.Create(r.name); err != nil {
		return nil, err
	}
	r.out = bufio.NewWriterSize(r.file, 1<<20)
	return r, nil
}

// close writes what is left. Nothing may be written after it.
func (r *recorder) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.out.Flush(); err != nil {
		return err
	}
	return r.file.Close()
}

// told takes a line of a worker's standard output.
func (r *recorder) told(worker int, text string) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(now, worker, text)
	if l, ok := parse(text); ok {
		l.read, l.worker = now, worker
		r.history.lines = append(r.history.lines, l)
	}
}

// logged takes a line of a worker's log.
func (r *recorder) logged(worker int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(time.Now(), worker, text)
}

// write needs the lock.
func (r *recorder) write(now time.Time, worker int, text string) {
	_, _ = fmt.Fprintf(r.out, "%s w%d %s\n", clock(now), worker, text) // the sum of its errors comes with Flush
}

// say tells something to the one who watches.
func (r *recorder) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	now := time.Now()
	fmt.Printf("chaos: %s %6.1fs  %s\n", clock(now), now.Sub(r.begin).Seconds(), text)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(now, 0, text)
}

// fault notes one that is over.
func (r *recorder) fault(f fault) {
	r.mu.Lock()
	r.history.faults = append(r.history.faults, f)
	r.mu.Unlock()
	r.say("%v", f)
}

func (r *recorder) ended(w worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.workers = append(r.history.workers, w)
}

func (r *recorder) acknowledged(a acked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.acked = append(r.history.acked, a)
}

func (r *recorder) sighted(list []sight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.sights = append(r.history.sights, list...)
}

// feel measures how late timers are on this machine until ctx ends: by as much everything else may be late, too.
func (r *recorder) feel(ctx context.Context) {
	const tick = 20 * time.Millisecond
	for begin := time.Now(); pause(ctx, tick) == nil; begin = time.Now() {
		late := time.Since(begin) - tick
		r.mu.Lock()
		r.stall = max(r.stall, late)
		r.mu.Unlock()
	}
}
