package conn

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
)

func beat(ctx context.Context, c *Coordinator) error {
	_, err := Call(ctx, c, Heartbeats, func(cn Conn) (*sarama.HeartbeatResponse, error) {
		return cn.Heartbeat(&sarama.HeartbeatRequest{})
	})
	return err
}

func TestCallWithoutACoordinator(t *testing.T) {
	c := NewCoordinator(newScript().dial, "")
	if err := beat(t.Context(), c); !errors.Is(err, ErrNoCoordinator) {
		t.Errorf("got %v", err)
	}
}

func TestCallIsCutAtItsDeadlineAndTheNextOneConnectsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.delay["a:1"] = -1
		c := NewCoordinator(s.dial, "")
		c.Move("a:1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := beat(ctx, c); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Fatalf("got %v after %v", err, time.Since(start))
		}
		synctest.Wait()
		if s.alive() != 0 {
			t.Error("the silent connection is left open")
		}
		s.mu.Lock()
		s.delay["a:1"] = 0
		s.mu.Unlock()
		if err := beat(t.Context(), c); err != nil {
			t.Errorf("got %v", err)
		}
		c.Move("")
		if s.alive() != 0 {
			t.Error("Move left a connection open")
		}
	})
}

func TestMoveCutsTheRequestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.delay["a:1"] = -1
		c := NewCoordinator(s.dial, "")
		c.Move("a:1")
		got := make(chan error, 1)
		go func() { got <- beat(t.Context(), c) }()
		synctest.Wait()
		c.Move("b:1")
		if err := <-got; err == nil {
			t.Error("answered by nobody")
		}
		if err := beat(t.Context(), c); err != nil || c.Addr() != "b:1" {
			t.Errorf("got %v at %q", err, c.Addr())
		}
		c.Move("")
	})
}

// A commit is sent to one coordinator; the member finds the next one; only then is the answer read. What the
// old coordinator says of itself must not take the new one away, or the look-up starts over for nothing.
func TestAReportAboutThePastIsIgnored(t *testing.T) {
	var got []error
	c := NewCoordinator(newScript().dial, "i")
	c.OnReport(func(_ Identity, err error) { got = append(got, err) })
	c.Move("a:1")
	c.Become("m", 3)
	id := c.Identity()
	c.Report(id, sarama.ErrNotCoordinatorForConsumer)
	if len(got) != 1 {
		t.Fatal("a report about now did not arrive")
	}
	c.Move("b:1")
	c.Report(id, sarama.ErrNotCoordinatorForConsumer)
	id = c.Identity()
	c.Become("m", 4)
	c.Report(id, sarama.ErrIllegalGeneration)
	if len(got) != 1 {
		t.Errorf("reports about the past arrived: %v", got[1:])
	}
	if id := c.Identity(); id.Member != "m" || id.Generation != 4 || *id.InstanceID() != "i" || !id.Valid() {
		t.Errorf("identity %+v", id)
	}
}

func TestChangedIsClosedByEachChangeAndByNothingElse(t *testing.T) {
	c := NewCoordinator(newScript().dial, "")
	closed := func(ch <-chan struct{}) bool {
		select {
		case <-ch:
			return true
		default:
			return false
		}
	}
	ch := c.Changed()
	c.Become("", -1) // as it was
	if closed(ch) || c.Identity().Valid() || c.Identity().InstanceID() != nil {
		t.Error("no change, but told; or an identity from nowhere")
	}
	c.Become("m", 1)
	if !closed(ch) {
		t.Error("a new generation is not told")
	}
	ch = c.Changed()
	c.Move("a:1")
	if !closed(ch) {
		t.Error("a new coordinator is not told")
	}
}
