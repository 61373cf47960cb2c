package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/consumer/deadletters"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// shell runs the command against a broker that the environment names.
func shell(t *testing.T, env map[string]string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(t.Context(), append([]string{"ottla"}, args...), func(name string) string { return env[name] }, &out, &err)
	return status, out.String(), err.String()
}

// letters makes a group that gives up two records of orders/2.
func letters(t *testing.T) (b *consumertest.Cluster, env map[string]string) {
	b = consumertest.Broker(t, "orders")
	b.Start(consumer.Config{
		Group: "billing", Topics: []string{"orders"}, Logger: slog.New(slog.DiscardHandler), CreateDeadLetterTopics: true,
		Handler: func(_ context.Context, rec *consumer.Record) error {
			if _, again := rec.Header(deadletters.ReplayOf); again {
				return nil
			}
			return errors.New("unknown customer\x1b[2J of " + string(rec.Value))
		},
		Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.DeadLetter("orders.dlt"))},
	})
	b.ProduceRecords("orders", 2,
		&messages.Record{Key: []byte("ann"), Value: []byte("{\n}"), Headers: []messages.Header{{Key: "trace", Value: []byte("7")}}},
		&messages.Record{Value: []byte{0xff, 0x00}})
	b.AwaitCommitted("billing", "orders", 2, 2)
	return b, map[string]string{"KAFKA_BROKER_ADDRESSES": strings.Join(b.Addrs(), ",")}
}

func TestListShowAndReplay(t *testing.T) {
	b, env := letters(t)
	status, out, _ := shell(t, env, "dlt", "list", "orders.dlt")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || len(lines) != 2 || !strings.HasPrefix(lines[0], "orders.dlt/2@0 ") || !strings.Contains(lines[0], "from orders/2@0  Handler  attempts=1 count=1") {
		t.Fatalf("list: %d\n%s", status, out)
	}
	if strings.Contains(out, "\x1b") {
		t.Error("what a stranger wrote moves the cursor")
	}
	_, out, _ = shell(t, env, "dlt", "list", "orders.dlt", "--json", "--key", "ann")
	var one map[string]any
	if err := json.Unmarshal([]byte(out), &one); err != nil || one["place"] != "orders.dlt/2@0" || one["group"] != "billing" {
		t.Errorf("list as JSON: %s, %v", out, err)
	}

	_, out, _ = shell(t, env, "dlt", "show", "orders.dlt/2@0")
	for _, want := range []string{"origin        orders/2@0\n", "key           ann\n", "value         {\n}\n", "header        trace=7\n", "class         Handler\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("show has no %q:\n%s", want, out)
		}
	}
	if _, out, _ = shell(t, env, "dlt", "show", "orders.dlt/2@1"); !strings.Contains(out, "key           (null)\nvalue         hex ff00\n") {
		t.Errorf("show of bytes:\n%s", out)
	}
	if _, out, _ = shell(t, env, "dlt", "show", "--value", "orders.dlt/2@1"); out != "\xff\x00" {
		t.Errorf("the value is %q", out)
	}

	if _, out, _ = shell(t, env, "dlt", "replay", "orders.dlt"); out != "2 would be written to orders\nnothing was written: add --write to do it\n" {
		t.Errorf("the dry run says:\n%s", out)
	}
	if _, out, _ = shell(t, env, "dlt", "replay", "orders.dlt", "--write", "--limit", "1"); out != "1 written to orders\n" {
		t.Errorf("replay says:\n%s", out)
	}
	b.AwaitCommitted("billing", "orders", 2, 3)
	if _, out, _ = shell(t, env, "dlt", "replay", "--write", "orders.dlt"); out != "1 written to orders\n1 had been replayed before\n" {
		t.Errorf("replay says:\n%s", out)
	}
	if _, out, _ = shell(t, env, "dlt", "replay", "--write", "orders.dlt"); out != "nothing to write\n2 had been replayed before\n" {
		t.Errorf("replay says:\n%s", out)
	}
}

func TestBadArguments(t *testing.T) {
	env := map[string]string{"KAFKA_BROKER_ADDRESSES": "127.0.0.1:1"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"dlt", "list"}, "TOPIC"},
		{[]string{"dlt", "list", "a", "b"}, `["a" "b"]`},
		{[]string{"dlt", "list", "a", "--since", "yesterday"}, "--since"},
		{[]string{"dlt", "list", "a", "--until", "-1h"}, "--until"},
		{[]string{"dlt", "replay", "a", "--limit", "-1"}, "--limit -1"},
		{[]string{"dlt", "show", "orders.dlt"}, "orders.dlt/3@17"},
		{[]string{"dlt", "list", "a", "--colour"}, "colour"},
	} {
		status, _, stderr := shell(t, env, c.args...)
		if status != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: %d, %q", c.args, status, stderr)
		}
	}
	if status, _, stderr := shell(t, nil, "dlt", "list", "a"); status != 1 || !strings.Contains(stderr, "KAFKA_BROKER_ADDRESSES") {
		t.Errorf("without a broker: %d, %q", status, stderr)
	}
}

func TestNoSuchLetter(t *testing.T) {
	_, env := letters(t)
	if status, _, stderr := shell(t, env, "dlt", "show", "orders.dlt/2@9"); status != 1 || !strings.Contains(stderr, "there is no dead letter at orders.dlt/2@9") {
		t.Errorf("%d, %q", status, stderr)
	}
	if status, _, stderr := shell(t, env, "dlt", "list", "nothing.dlt"); status != 1 || !strings.Contains(stderr, "there is no such topic") {
		t.Errorf("%d, %q", status, stderr)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, stderr bytes.Buffer
	status := run(ctx, []string{"ottla", "dlt", "list", "a", "--brokers", "127.0.0.1:1"}, func(string) string { return "" }, &out, &stderr)
	if status != 130 || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("%d, %q", status, stderr.String())
	}
}

func TestBar(t *testing.T) {
	for p, want := range map[deadletters.Progress]string{
		{Step: deadletters.StepLetters}:                   "[########################################] 0 of 0 offsets, letters",
		{Step: deadletters.StepReplay, Read: 1, Of: 2}:    "[####################....................] 1 of 2 offsets, replay",
		{Step: deadletters.StepReplay, Read: 2, Of: 2}:    "[########################################] 2 of 2 offsets, replay",
		{Step: deadletters.StepLetters, Of: 1000}:         "[........................................] 0 of 1000 offsets, letters",
		{Step: deadletters.StepReplayed, Read: 1_000_000}: "looking for what was replayed before: 1000000 records",
	} {
		if got := drawn(p); got != want {
			t.Errorf("%+v: %s", p, got)
		}
	}
}
