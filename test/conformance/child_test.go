package conformance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// childVariable tells the test's binary that it is a member in a process of its own, and holds what it needs: the
// brokers, the group and the topic, with blanks between, and perhaps what it does (see hoard).
const childVariable = "OTTLA_TEST_CHILD"

// stands is the offset at which the child's handler of partition 0 stands until its context ends.
const stands = 10

// childSession is the child's session timeout: so long may it be silent.
const childSession = 2 * time.Second

// child runs a member that says what happens, one line each:
//
//	assigned P            a claim's start is known
//	begin P O             a handler begins
//	end P O CAUSE         it is about to answer with success; CAUSE says why its context has ended: none, lost, …
//	revoked P, lost P     a claim has ended
//	out ERROR             Run has returned
//
// It ends with SIGTERM. Status 0: Run answered nil.
func child() int {
	arg := strings.Fields(os.Getenv(childVariable))
	if len(arg) > 3 && arg[3] == hoards {
		return hoard(arg)
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	c, err := consumer.New(consumer.Config{
		Brokers: strings.Split(arg[0], ","), Group: arg[1], Topics: []string{arg[2]},
		SessionTimeout: childSession, HeartbeatInterval: heartbeat, RebalanceTimeout: rebalance,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Hooks: consumer.Hooks{
			Assigned: func(_ context.Context, c messages.Claim) error { say("assigned %d", c.Partition); return nil },
			Revoked:  func(r messages.Revoked) { say("revoked %d", r.Claim.Partition) },
			Lost:     func(l messages.Lost) { say("lost %d", l.Claim.Partition) },
		},
		Handler: func(ctx context.Context, rec *consumer.Record) error {
			say("begin %d %d", rec.Partition, rec.Offset)
			if rec.Partition == 0 && rec.Offset == stands {
				<-ctx.Done()
			}
			work(ctx.Done(), time.Millisecond)
			say("end %d %d %s", rec.Partition, rec.Offset, causeOf(ctx))
			return nil // as a handler does that does not look at its context
		},
	})
	if err != nil {
		say("out %v", err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := c.Run(ctx); err != nil {
		say("out %v", err)
		return 1
	}
	return 0
}

func causeOf(ctx context.Context) string {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return "none"
	case errors.Is(cause, messages.ErrLost):
		return "lost"
	default:
		return strings.ReplaceAll(cause.Error(), " ", "_")
	}
}

// process is a child of this test.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu    sync.Mutex
	lines []childLine
}

// childLine is one line of a child.
type childLine struct {
	what      string
	partition int32
	offset    int64
	rest      string
}

// spawn starts a child. It is killed at the end of the test.
func (k *kafka) spawn(group, topic string, more ...string) *process {
	k.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+strings.Join(append([]string{strings.Join(k.brokers, ","), group, topic}, more...), " "))
	cmd.Stderr = journalWriter{k.journal}
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			k.journal.write("child", scan.Text())
			p.read(scan.Text())
		}
		_ = cmd.Wait()
	}()
	k.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		<-p.done
	})
	return p
}

func (p *process) read(text string) {
	f := strings.Fields(text)
	if len(f) < 2 {
		return
	}
	line := childLine{what: f[0], rest: strings.Join(f[1:], " ")}
	if n, err := strconv.ParseInt(f[1], 10, 32); err == nil {
		line.partition = int32(n)
	}
	if len(f) > 2 {
		line.offset, _ = strconv.ParseInt(f[2], 10, 64)
	}
	if len(f) > 3 {
		line.rest = f[3]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
}

// said are the lines that begin with the word.
func (p *process) said(what string) []childLine {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []childLine
	for _, l := range p.lines {
		if l.what == what {
			out = append(out, l)
		}
	}
	return out
}

// signal sends the child a signal.
func (p *process) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("%v to the child: %v", sig, err)
	}
}

// journalWriter puts a child's log into the journal.
type journalWriter struct{ journal *journal }

// Write takes whole lines, as slog's handlers write them.
func (w journalWriter) Write(b []byte) (int, error) {
	w.journal.write("child", strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}
