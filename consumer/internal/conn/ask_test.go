package conn

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
)

func who(cn Conn) (string, error) {
	c := cn.(*scriptedConn)
	return c.addr, c.ask()
}

func TestAskPassesASilentBrokerAfterTheHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.delay["a:1"], s.delay["b:1"], s.delay["c:1"] = -1, -1, time.Millisecond
		c := NewCluster(Settings{Seeds: []string{"a:1", "b:1", "c:1"}, Dial: s.dial})
		defer c.Close()
		for range 20 { // the order is random: at worst both silent ones come first
			start := time.Now()
			got, err := Ask(t.Context(), c, who)
			if got != "c:1" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
			if took := time.Since(start); took > 2*500*time.Millisecond+time.Millisecond {
				t.Fatalf("took %v, which is more than two hedges", took)
			}
		}
		start := time.Now() // by now both are known to be silent, and the good one is asked first
		if _, err := Ask(t.Context(), c, who); err != nil || time.Since(start) > time.Millisecond {
			t.Fatalf("took %v, %v", time.Since(start), err)
		}
		synctest.Wait()
		if n := s.alive(); n != 0 {
			t.Errorf("%d connections of the losers are left open", n)
		}
	})
}

func TestAskGoesOnAtOnceAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.fail["a:1"], s.fail["b:1"] = sarama.ErrConsumerCoordinatorNotAvailable, errors.New("connection refused")
		c := NewCluster(Settings{Seeds: []string{"a:1", "b:1", "c:1"}, Dial: s.dial})
		defer c.Close()
		start := time.Now()
		if got, err := Ask(t.Context(), c, who); got != "c:1" || err != nil || time.Since(start) != 0 {
			t.Fatalf("got %q, %v after %v", got, err, time.Since(start))
		}
	})
}

func TestAskTellsWhatEachBrokerSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		refused := errors.New("connection refused")
		s.fail["a:1"], s.fail["b:1"], s.delay["c:1"] = sarama.ErrGroupAuthorizationFailed, refused, -1
		c := NewCluster(Settings{Seeds: []string{"a:1", "b:1", "c:1"}, Dial: s.dial})
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, err := Ask(ctx, c, who)
		if time.Since(start) != 5*time.Second {
			t.Errorf("gave up after %v, want the deadline", time.Since(start))
		}
		var none *NoBrokerError
		if !errors.As(err, &none) || len(none.Errs) != 3 {
			t.Fatalf("got %v", err)
		}
		for _, want := range []error{sarama.ErrGroupAuthorizationFailed, refused, context.DeadlineExceeded} {
			if !errors.Is(err, want) {
				t.Errorf("%v does not unwrap to %v", err, want)
			}
		}
	})
}

func TestAskEndsWhenTheClusterIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.delay["a:1"] = -1
		c := NewCluster(Settings{Seeds: []string{"a:1"}, Dial: s.dial})
		got := make(chan error, 1)
		go func() {
			_, err := Ask(t.Context(), c, who)
			got <- err
		}()
		synctest.Wait()
		c.Close()
		if err := <-got; !errors.Is(err, ErrClosed) {
			t.Errorf("in flight: got %v", err)
		}
		if _, err := Ask(t.Context(), c, who); !errors.Is(err, ErrClosed) {
			t.Errorf("afterwards: got %v", err)
		}
		if n := s.alive(); n != 0 {
			t.Errorf("%d connections are left open", n)
		}
	})
}

func TestTopicsRemembersTheBrokersAndKeepsTheSeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		c := NewCluster(Settings{Seeds: []string{"seed:1"}, Dial: s.dial, Version: sarama.V3_6_0_0})
		defer c.Close()
		m, err := c.Topics(t.Context(), "orders", "missing")
		if err != nil {
			t.Fatal(err)
		}
		orders := m.Topics["orders"]
		want := []Partition{
			{ID: 0, Leader: -1, Err: sarama.ErrLeaderNotAvailable},
			{ID: 1, Leader: 7, LeaderAddr: "learned:1"},
		}
		if orders.Err != nil || !slices.Equal(orders.Partitions, want) {
			t.Errorf("got %+v", orders)
		}
		if !errors.Is(m.Topics["missing"].Err, sarama.ErrUnknownTopicOrPartition) {
			t.Errorf("got %+v", m.Topics["missing"])
		}
		if got := c.Brokers(); !slices.Equal(got, []string{"seed:1", "learned:1"}) {
			t.Errorf("brokers %v", got)
		}
	})
}

func TestTopicsOfNoneAsksNobody(t *testing.T) {
	s := newScript()
	c := NewCluster(Settings{Seeds: []string{"seed:1"}, Dial: s.dial})
	defer c.Close()
	if m, err := c.Topics(t.Context()); err != nil || len(m.Topics) != 0 || len(s.requests()) != 0 {
		t.Errorf("got %v, %v after %v: Kafka takes no names for all topics", m, err, s.requests())
	}
}
