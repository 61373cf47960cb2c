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

// A broker closes what is idle. The next request finds that out, and goes out once more on a fresh connection; one that
// breaks there, too, or that breaks in the midst of its work, has failed.
func TestAConnectionThatBrokeWhileItWasIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, broken := newScript(), errors.New("EOF")
		fail := map[Conn]bool{}
		var last Conn
		c := NewCoordinator(func(addr string) Conn { last = s.dial(addr); return last }, "")
		c.Move("a:1")
		call := func() error {
			_, err := Call(t.Context(), c, Joins, func(cn Conn) (int, error) {
				if fail[cn] {
					return 0, broken
				}
				return 1, nil
			})
			return err
		}
		if err := call(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		first := last
		fail[first] = true
		if err := call(); err != nil || last == first {
			t.Errorf("%v, on the old connection: %v", err, last == first)
		}
		time.Sleep(time.Second)
		fail[last] = true
		if err := call(); !errors.Is(err, broken) {
			t.Errorf("a connection at work broke: %v", err)
		}
		if err := call(); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Minute)
		dials := s.alive()
		c.dial = func(addr string) Conn { cn := s.dial(addr); fail[cn] = true; return cn }
		fail[last] = true
		if err := call(); !errors.Is(err, broken) || dials != 1 || s.alive() != 0 {
			t.Errorf("%v, %d connections, then %d", err, dials, s.alive())
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
