package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ottla-go/ottla/test/cable"
)

// crew are the consumers' processes: a fixed number of places, each with a cable of its own, and in each place one
// process after the other, or none.
type crew struct {
	recorder *recorder
	binary   string
	args     []string
	places   []*place
	born     int
}

// place is used by one goroutine.
type place struct {
	cable *cable.Cable
	now   *process // nil: nobody
}

func newCrew(r *recorder, binary string, places int, args ...string) (*crew, error) {
	c := &crew{recorder: r, binary: binary, args: args}
	for range places {
		line, err := cable.Lay()
		if err != nil {
			c.close()
			return nil, err
		}
		c.places = append(c.places, &place{cable: line})
	}
	return c, nil
}

// close kills who is left.
func (c *crew) close() {
	for _, p := range c.places {
		if p.now != nil {
			p.now.kill()
		}
		p.cable.Close()
	}
}

// process is one worker.
type process struct {
	worker

	recorder *recorder
	cmd      *exec.Cmd
	over     chan struct{} // closed when all it has written was read, and it has ended
	spoke    chan struct{} // closed when it has written its first line

	mu sync.Mutex // of what worker says of its end
}

// start lets a process begin in the place.
func (c *crew) start(p *place) error {
	c.born++
	w := &process{worker: worker{id: c.born, begin: time.Now(), how: byItself}, recorder: c.recorder, over: make(chan struct{}), spoke: make(chan struct{})}
	w.cmd = exec.Command(c.binary, append([]string{"-via", p.cable.Addr()}, c.args...)...)
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := w.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := w.cmd.Start(); err != nil {
		return err
	}
	var read sync.WaitGroup
	read.Go(func() { each(stdout, func(text string) { c.recorder.told(w.id, text) }) })
	first := sync.OnceFunc(func() { close(w.spoke) })
	read.Go(func() {
		each(stderr, func(text string) {
			c.recorder.logged(w.id, text)
			first()
		})
	})
	go func() {
		read.Wait()
		w.ended(w.cmd.Wait())
	}()
	p.now = w
	return nil
}

// each hands over the lines, however long.
func each(from io.Reader, to func(text string)) {
	for lines := bufio.NewReaderSize(from, 64<<10); ; {
		text, err := lines.ReadString('\n')
		if text != "" {
			to(strings.TrimSuffix(text, "\n"))
		}
		if err != nil {
			return
		}
	}
}

func (w *process) ended(err error) {
	w.mu.Lock()
	if w.end.IsZero() || w.how == drained {
		w.end = time.Now()
	}
	if err != nil && w.how != killed {
		w.err = err.Error()
	}
	if w.how == byItself && w.err == "" {
		w.err = "exit status 0"
	}
	done := w.worker
	w.mu.Unlock()
	w.recorder.ended(done)
	close(w.over)
}

// signal sends one; an error says that the process has ended.
func (w *process) signal(s syscall.Signal) error { return w.cmd.Process.Signal(s) }

// kill ends the process as the kernel does that has no memory left.
func (w *process) kill() {
	w.mu.Lock()
	if w.how != drained { // the drain's story is told by what it takes
		w.how, w.end = killed, time.Now()
	}
	w.mu.Unlock()
	_ = w.signal(syscall.SIGKILL)
	<-w.over
}

var errNoEnd = errors.New("it does not end")

// drain ends the process in order; an error says that it did not end in time, and was killed. A process that has not come
// to catch signals would end by one: it catches them right after its first lines.
func (w *process) drain(within time.Duration) error {
	select {
	case <-w.spoke:
		wait(500 * time.Millisecond)
	case <-w.over:
	case <-time.After(within):
	}
	w.mu.Lock()
	if w.how == byItself && w.end.IsZero() {
		w.how, w.told = drained, time.Now()
	}
	w.mu.Unlock()
	_ = w.signal(syscall.SIGTERM)
	select {
	case <-w.over:
		return nil
	case <-time.After(within):
		w.kill()
		return fmt.Errorf("worker %d was told to drain %v ago: %w", w.id, within, errNoEnd)
	}
}

// alive: it has not ended.
func (w *process) alive() bool {
	select {
	case <-w.over:
		return false
	default:
		return true
	}
}
