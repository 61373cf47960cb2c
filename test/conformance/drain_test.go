package conformance

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// leisure is the heartbeat interval of the scenario that counts heartbeats.
const leisure = time.Second

// TestDrain: the end of Run's context does not end handlers' contexts. What is in flight finishes and is committed, the
// group is left, and another member has the partitions within two heartbeats. No goroutine is left.
func TestDrain(t *testing.T) {
	const partitions, each = 4, 6
	before := goroutines()
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each)
	l := newLedger(partitions, each)
	g := newGate()
	defer g.release()
	run := func(name string) *member {
		cfg := k.config(name, group, topic)
		cfg.HeartbeatInterval = leisure
		cfg.Handler = l.keeps(name, func(_ context.Context, rec *consumer.Record) error {
			if name == "a" && rec.Offset == 2 {
				<-g.open
			}
			return nil
		})
		return start(t, name, cfg)
	}
	a := run("a")
	eventually(t, "a stands on the third record of every partition", func() bool { return len(l.running("a")) == partitions && l.count() == 2*partitions })
	b := run("b")
	eventually(t, "b is a member", func() bool { _, n := k.group(group); return n == 2 })

	a.drain()
	eventually(t, "a drains", func() bool { return a.status().Phase == "draining" })
	for _, c := range l.running("a") {
		if c.cause != nil {
			t.Errorf("the context of %d@%d ended: %v", c.partition, c.offset, c.cause)
		}
	}
	g.release()
	received(t, a.ended, "a ends")
	within(t, 2*leisure, "b has all partitions", func() bool {
		return len(b.partitions(messages.StateIdle, messages.StateBusy)) == partitions
	})
	if a.result != nil {
		t.Errorf("Run answered %v after a clean drain", a.result)
	}
	eventually(t, "all are processed", l.done)
	for _, c := range l.calls(by("a")) {
		if c.cause != nil {
			t.Errorf("a's handler of %d@%d saw its context end: %v", c.partition, c.offset, c.cause)
		}
	}
	for _, c := range l.calls(by("b")) {
		if c.offset < 3 {
			t.Errorf("b handled %d@%d, which a had in flight", c.partition, c.offset)
		}
	}
	b.leave()
	l.clean(t)
	noneLeft(t, before)
}

// TestDrainSecondSignal: the first signal waits for handlers, the second one ends their contexts, and the group is
// left in order all the same.
func TestDrainSecondSignal(t *testing.T) {
	k := cluster(t)
	topic := k.topic(2)
	k.fill(topic, 2, 0, 3)
	l := newLedger(2, 3)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Handler = l.keeps("a", func(ctx context.Context, rec *consumer.Record) error {
		if rec.Offset == 1 {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	c, err := consumer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.RunUntilSignal(context.Background(), syscall.SIGUSR1) }()
	phase := func() string {
		s, err := c.Status(t.Context())
		if err != nil {
			return ""
		}
		return s.Phase
	}
	eventually(t, "both partitions stand", func() bool { return len(l.running("a")) == 2 && l.count() == 2 })
	signalSelf(t)
	eventually(t, "the consumer drains", func() bool { return phase() == "draining" })
	if n := len(l.running("a")); n != 2 {
		t.Errorf("%d handlers run after the first signal, want 2", n)
	}
	signalSelf(t)
	if err := received(t, ended, "Run ends after the second signal"); err != nil {
		t.Errorf("Run answered %v: every handler returned", err)
	}
	for _, c := range l.calls(func(c try) bool { return c.offset == 1 }) {
		if !errors.Is(c.cause, messages.ErrStopped) {
			t.Errorf("the context of %d@%d ended with %v, want ErrStopped", c.partition, c.offset, c.cause)
		}
	}
	if at := k.committed("g-"+topic, topic); at[0] != 1 || at[1] != 1 {
		t.Errorf("committed %v, want 1 on both", at)
	}
	if state, n := k.group("g-" + topic); n != 0 {
		t.Errorf("the group is %s with %d members: it was not left", state, n)
	}

	cfg = k.config("b", "g-"+topic, topic)
	cfg.Handler = l.keeps("b", nil)
	b := start(t, "b", cfg)
	eventually(t, "all are processed", l.done)
	b.leave()
	l.clean(t)
}

// TestDrainThirdSignal: the third signal is a crash: a handler that ignores everything holds nothing up.
func TestDrainThirdSignal(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	k.fill(topic, 1, 0, 3)
	l := newLedger(1, 3)
	g := newGate()
	defer g.release()
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == 1 {
			<-g.open
		}
		return nil
	})
	c, err := consumer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.RunUntilSignal(context.Background(), syscall.SIGUSR1) }()
	eventually(t, "the handler stands", func() bool { return len(l.running("a")) == 1 && l.count() == 1 })
	for range 3 {
		was := k.journal.count("INFO signal ")
		signalSelf(t)
		eventually(t, "the signal has come", func() bool { return k.journal.count("INFO signal ") > was })
	}
	began := time.Now()
	_ = received(t, ended, "Run ends after the third signal")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Run ended %v after the third signal, its handler still stands", took)
	}
}

// signalSelf sends what the scenario uses for Ctrl-C.
func signalSelf(t testing.TB) {
	t.Helper()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
}

// goroutines are those that run code of Ottla, sarama or protoactor: their stacks.
func goroutines() (stacks []string) {
	buf := make([]byte, 8<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		for _, module := range []string{"/ottla/consumer", "/ottla/supervisor", "/ottla/actors", "IBM/sarama", "asynkron/protoactor"} {
			if strings.Contains(stack, module) {
				stacks = append(stacks, stack)
				break
			}
		}
	}
	return stacks
}

// noneLeft fails the test when there are more than before.
func noneLeft(t testing.TB, before []string) {
	t.Helper()
	if !waits(10*time.Second, func() bool { return len(goroutines()) <= len(before) }) {
		t.Errorf("%d goroutines are left, %d before:\n%s", len(goroutines()), len(before), strings.Join(goroutines(), "\n\n"))
	}
}
