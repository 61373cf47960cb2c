package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// node is one broker of test/with-kafka.sh.
type node struct {
	id  int
	dir string
}

// signal sends one to the process that runs the node now.
func (n node) signal(s syscall.Signal) error {
	text, err := os.ReadFile(filepath.Join(n.dir, "pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	// The number may be another process's by now: the node's own has its configuration among its arguments.
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(args), filepath.Join(n.dir, "server.properties")) {
		return errGone
	}
	return syscall.Kill(pid, s)
}

var errGone = errors.New("the node does not run")

// start lets the node run again: same ports, same data.
func (n node) start() error {
	if out, err := exec.Command(filepath.Join(n.dir, "start")).CombinedOutput(); err != nil {
		return fmt.Errorf("start node %d: %w\n%s", n.id, err, out)
	}
	return nil
}

// end tells the node to end in order, and waits; after a minute it is killed.
func (n node) end(ctx context.Context) error {
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	for begin := time.Now(); n.signal(0) == nil; {
		if time.Since(begin) > time.Minute {
			if err := n.signal(syscall.SIGKILL); err != nil && !errors.Is(err, errGone) {
				return err
			}
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// pause is a while; an error says that ctx ended first.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
