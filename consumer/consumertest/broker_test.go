package consumertest_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/supervisor"
)

// seen gathers what a handler on real connections was given.
type seen struct {
	mu      sync.Mutex
	records []string
}

func (s *seen) handle(_ context.Context, r *consumer.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r.String()+"="+string(r.Value))
	return nil
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

func billing(h consumer.Handler) consumer.Config {
	return consumer.Config{
		Group: "billing", Topics: []string{"orders"}, Handler: h, HeartbeatInterval: 100 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
		Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(10*time.Millisecond)))},
	}
}

func TestBrokerFromEndToEnd(t *testing.T) {
	t.Parallel()
	b := consumertest.Broker(t, "orders")
	for _, addr := range b.Addrs() {
		if host, _, err := net.SplitHostPort(addr); err != nil || host != "127.0.0.1" {
			t.Errorf("a broker listens on %s", addr)
		}
	}
	var s seen
	b.Produce("orders", 3, "a", "b")
	b.Start(billing(s.handle))
	b.AwaitCommitted("billing", "orders", 3, 2)
	key := &consumer.Record{Key: []byte("k")}
	if got := b.ProduceRecords("orders", 3, key)[0]; got.String() != "orders/3@2" {
		t.Errorf("produced %v", got)
	}
	b.AwaitCommitted("billing", "orders", 3, 3)
	if want := []string{"orders/3@0=a", "orders/3@1=b", "orders/3@2="}; !slices.Equal(s.all(), want) {
		t.Errorf("handled %q, want %q", s.all(), want)
	}
	if got := b.Committed("billing", "orders", 0); got > 0 {
		t.Errorf("committed %d of an empty partition", got)
	}
}

func TestATopicThatIsMadeLater(t *testing.T) {
	t.Parallel()
	b := consumertest.Broker(t)
	var s seen
	c := b.Start(billing(s.handle))
	b.CreateTopic("orders", 1)
	b.Produce("orders", 0, "a")
	b.AwaitCommitted("billing", "orders", 0, 1)
	if err := c.Drain(t.Context()); err != nil {
		t.Errorf("drain: %v", err)
	}
}

// Whatever was broken, everything is handled once it is healed.
func TestBrokerFaults(t *testing.T) {
	t.Parallel()
	for kind, code := range map[string]string{
		"OffsetCommit": "NOT_COORDINATOR", "Heartbeat": "REBALANCE_IN_PROGRESS", "Fetch": "NOT_LEADER_FOR_PARTITION",
		"JoinGroup": "COORDINATOR_LOAD_IN_PROGRESS", "FindCoordinator": "COORDINATOR_NOT_AVAILABLE",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := consumertest.Broker(t, "orders")
			fault := b.Fail(kind, 2, code)
			var s seen
			b.Start(billing(s.handle))
			b.Produce("orders", 0, "a", "b")
			fault.Await(2)
			b.AwaitCommitted("billing", "orders", 0, 2)
			if fault.Hits() != 2 {
				t.Errorf("%d hits", fault.Hits())
			}
		})
	}
}

func TestBrokersThatAreAway(t *testing.T) {
	t.Parallel()
	b := consumertest.Broker(t, "orders")
	var s seen
	b.Start(billing(s.handle))
	b.Produce("orders", 0, "a")
	b.AwaitCommitted("billing", "orders", 0, 1)
	b.Cut()
	if conn, err := net.Dial("tcp", b.Addrs()[0]); err == nil {
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("read %d bytes from a broker that is away", n)
		}
		_ = conn.Close()
	}
	b.Heal()
	b.Produce("orders", 0, "b")
	b.AwaitCommitted("billing", "orders", 0, 2)
	b.Move()
	b.Produce("orders", 0, "c")
	b.AwaitCommitted("billing", "orders", 0, 3)
}

// A fault that lasts is healed for the drain at the end of the test, and a killed consumer is no failure.
func TestTheEndHeals(t *testing.T) {
	t.Parallel()
	b := consumertest.Broker(t, "orders")
	var s seen
	b.Start(billing(s.handle))
	b.Produce("orders", 0, "a")
	b.AwaitCommitted("billing", "orders", 0, 1)
	other := billing(s.handle)
	other.Group = "other"
	b.Start(other).Kill()
	refused := b.Fail("OffsetCommit", -1, "NOT_COORDINATOR")
	b.Produce("orders", 0, "b")
	refused.Await(1)
}

// In a process of its own, because it has to fail.
func TestBrokerRefusesNames(t *testing.T) {
	const inside = "OTTLA_TEST_NAMES"
	if os.Getenv(inside) != "" {
		b := consumertest.Broker(t, "orders")
		t.Run("kind", func(*testing.T) { b.Fail("OffsetComit", 1, "NOT_COORDINATOR") })
		return
	}
	if out := failing(t, inside); !strings.Contains(out, `Kafka has no request "OffsetComit"`) {
		t.Error(out)
	}
}
