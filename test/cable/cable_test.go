package cable

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// echo answers each byte with the next one.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				var b [1]byte
				for {
					if _, err := io.ReadFull(conn, b[:]); err != nil {
						return
					}
					b[0]++
					if _, err := conn.Write(b[:]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func lay(t *testing.T) *Cable {
	t.Helper()
	c, err := Lay()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// dial connects as a consumer with Through does.
func dial(t *testing.T, c *Cable, to string) net.Conn {
	t.Helper()
	config := sarama.NewConfig()
	Through(c.Addr())(config)
	conn, err := config.Net.Proxy.Dialer.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func send(t *testing.T, conn net.Conn, b byte) {
	t.Helper()
	if _, err := conn.Write([]byte{b}); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, conn net.Conn, want byte) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	var b [1]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil || b[0] != want {
		t.Fatalf("received %v, %v, want %d", b, err, want)
	}
}

// silent: nothing comes, and nobody hangs up.
func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	var b [1]byte
	n, err := conn.Read(b[:])
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("through a cut came %d bytes, %v", n, err)
	}
}

func TestACutHoldsWhatIsSentAndHangsNobodyUp(t *testing.T) {
	for name, cut := range map[string]struct{ requests, answers bool }{
		"both": {true, true}, "requests": {true, false}, "answers": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := lay(t)
			conn := dial(t, c, echo(t))
			send(t, conn, 1)
			receive(t, conn, 2)
			c.Cut(cut.requests, cut.answers)
			send(t, conn, 10)
			silent(t, conn)
			c.Heal()
			receive(t, conn, 11)
			send(t, conn, 20)
			receive(t, conn, 21)
		})
	}
}

// What a client has sent and given up arrives all the same when the cut is healed.
func TestWhatWasGivenUpArrivesLate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := lay(t)
	conn := dial(t, c, l.Addr().String())
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	c.Cut(true, true)
	send(t, conn, 7)
	_ = conn.Close()
	silent(t, far)
	c.Heal()
	receive(t, far, 7)
	if n, err := far.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("after the end came %d bytes, %v", n, err)
	}
}

// Who connects into a cut waits, and is connected when it is healed.
func TestADialWaitsForTheHealing(t *testing.T) {
	for name, cut := range map[string]struct{ requests, answers bool }{"requests": {true, false}, "answers": {false, true}} {
		t.Run(name, func(t *testing.T) {
			c := lay(t)
			to := echo(t)
			c.Cut(cut.requests, cut.answers)
			config := sarama.NewConfig()
			Through(c.Addr())(config)
			type result struct {
				conn net.Conn
				err  error
			}
			dialled := make(chan result, 1)
			go func() {
				conn, err := config.Net.Proxy.Dialer.Dial("tcp", to)
				dialled <- result{conn, err}
			}()
			select {
			case r := <-dialled:
				t.Fatalf("connected through a cut: %v", r.err)
			case <-time.After(100 * time.Millisecond):
			}
			c.Heal()
			r := <-dialled
			if r.err != nil {
				t.Fatal(r.err)
			}
			defer func() { _ = r.conn.Close() }()
			send(t, r.conn, 1)
			receive(t, r.conn, 2)
		})
	}
}

func TestARefusedDialIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	_ = l.Close()
	config := sarama.NewConfig()
	Through(lay(t).Addr())(config)
	if conn, err := config.Net.Proxy.Dialer.Dial("tcp", nobody); err == nil {
		_ = conn.Close()
		t.Error("connected where nobody listens")
	}
}
