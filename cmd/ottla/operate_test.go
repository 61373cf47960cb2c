package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// group is two members that park each record, and where they are asked.
func group(t *testing.T) (b *consumertest.Cluster, env map[string]string) {
	t.Helper()
	b = consumertest.Broker(t, "orders", "orders.dlt")
	var urls []string
	for range 2 {
		c := b.Start(consumer.Config{
			Group: "billing", Topics: []string{"orders"}, Logger: slog.New(slog.DiscardHandler),
			HeartbeatInterval: 100 * time.Millisecond,
			Handler:           func(context.Context, *consumer.Record) error { return errors.New("unknown customer") },
			Policy:            supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("look at it"))},
		})
		server := httptest.NewServer(http.StripPrefix("/ottla", consumer.HTTP{Ref: c.Ref, Allow: func(r *http.Request, _ messages.Command) (string, error) {
			name, password, _ := r.BasicAuth()
			if password != "secret" {
				return "", errors.New("the password, please")
			}
			return name, nil
		}}))
		t.Cleanup(server.Close)
		urls = append(urls, server.URL+"/ottla")
	}
	return b, map[string]string{"OTTLA_URL": strings.Join(urls, ","), "OTTLA_USER": "ann:secret", "KAFKA_BROKER_ADDRESSES": strings.Join(b.Addrs(), ",")}
}

// until runs a command again and again until its output is as wanted.
func until(t *testing.T, env map[string]string, want func(out string) bool, args ...string) {
	t.Helper()
	var out, stderr string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) { // real time: brokers
		if _, out, stderr = shell(t, env, args...); want(out) {
			return
		}
	}
	t.Fatalf("%v:\n%s%s", args, out, stderr)
}

// Each command goes to the member that owns the partition, or to all; who asks is known; one that comes too late is refused.
func TestOperating(t *testing.T) {
	b, env := group(t)
	until(t, env, func(out string) bool {
		one, other, _ := strings.Cut(strings.TrimPrefix(out, "http://"), "http://")
		return strings.Count(one, "  orders/") == 2 && strings.Count(other, "  orders/") == 2
	}, "status")
	for p := range int32(4) {
		b.Produce("orders", p, "x", "y")
	}
	until(t, env, func(out string) bool { return strings.Count(out, "Parked") == 4 }, "status", "--waiting")

	ok := func(args ...string) string {
		t.Helper()
		status, out, stderr := shell(t, env, args...)
		if status != 0 {
			t.Fatalf("%v: %d, %s", args, status, stderr)
		}
		return out
	}
	if out := ok("skip-head", "orders/0@0"); !strings.HasPrefix(out, "SkipHead: done by http://127.0.0.1:") || !strings.Contains(out, "as ann: the head of orders/0 is 1, ") {
		t.Errorf("skip-head says %q", out)
	}
	b.AwaitCommitted("billing", "orders", 0, 1)
	ok("retry-head", "orders/1@0") // and it fails again
	ok("dead-letter-head", "orders/2@0", "--to", "orders.dlt")
	b.AwaitCommitted("billing", "orders", 2, 1)
	if _, out, _ := shell(t, env, "dlt", "list", "orders.dlt"); !strings.Contains(out, "by=ann") {
		t.Errorf("the letter: %q", out)
	}
	if out := ok("pause", "orders"); strings.Count(out, "Pause: done by") != 2 || strings.Count(out, ":Parked")+strings.Count(out, ":Paused")+strings.Count(out, ":Busy") != 4 {
		t.Errorf("pause says %q", out)
	}
	if out := ok("status"); strings.Count(out, "paused: orders/all by ann since ") != 2 {
		t.Errorf("status says %q", out)
	}
	if out := ok("resume", "orders/1,2"); strings.Count(out, "Resume: done by") != 2 {
		t.Errorf("resume says %q", out)
	}

	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"skip-head", "orders/3@7"}, "(409): ottla: the command was meant for offset 7, but the head is 0 by now"},
		{[]string{"park", "orders/3@0", "--reason", "again"}, "it is parked already"},
		{[]string{"skip-head", "orders/9@0"}, "none of the 2 members that were asked owns orders/9"},
		{[]string{"pause", "orders", "--user", "eve:guess"}, "(403): not allowed: the password, please"},
		{[]string{"pause", "payments"}, "does not subscribe"},
	} {
		if status, _, stderr := shell(t, env, c.args...); status != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: %d, %q", c.args, status, stderr)
		}
	}
}

func TestBadOperating(t *testing.T) {
	env := map[string]string{"OTTLA_URL": "http://127.0.0.1:1"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"status"}, "connection refused"},
		{[]string{"status", "--url", "127.0.0.1:8080"}, "give it as http://"},
		{[]string{"skip-head", "orders"}, "no place"},
		{[]string{"pause", "orders/x"}, "orders/3,7"},
		{[]string{"pause", "/3"}, "no topic"},
		{[]string{"dead-letter-head", "orders/0@0"}, `"to"`},
		{[]string{"pause"}, "TOPIC"},
	} {
		if status, _, stderr := shell(t, env, c.args...); status != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: %d, %q", c.args, status, stderr)
		}
	}
	if status, _, stderr := shell(t, nil, "status"); status != 1 || !strings.Contains(stderr, "OTTLA_URL") {
		t.Errorf("%d, %q", status, stderr)
	}
	teapot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "I am a teapot", http.StatusTeapot) }))
	defer teapot.Close()
	for _, args := range [][]string{{"status"}, {"pause", "orders"}} {
		if status, _, stderr := shell(t, map[string]string{"OTTLA_URL": teapot.URL}, args...); status != 1 || !strings.Contains(stderr, "I am a teapot") {
			t.Errorf("%v: %d, %q", args, status, stderr)
		}
	}
}

// A member's answers come over a network, and say nothing to the terminal.
func TestAnAnswerMovesNoCursor(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"by":"ann\u001b[2J","partitions":[{"partition":3,"state":"Paused\u009b2J"}]}`))
	}))
	defer stranger.Close()
	status, out, _ := shell(t, map[string]string{"OTTLA_URL": stranger.URL}, "pause", "orders")
	if status != 0 || out != "Pause: done by "+stranger.URL+", as ann\uFFFD[2J 3:Paused\uFFFD2J\n" {
		t.Errorf("%d, %q", status, out)
	}
}
