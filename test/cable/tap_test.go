package cable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// notes is a tap that writes down what it hears, and lets a client hang up when it is told to.
type notes struct {
	mu     sync.Mutex
	heard  []string
	hungUp chan struct{} // closed when the client has
	over   chan struct{}
	let    chan struct{}
}

func (n *notes) note(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heard = append(n.heard, text)
}

func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.heard)
}

func (n *notes) Request(b []byte, late bool) { n.note(fmt.Sprintf("request %v %v", b, late)) }

func (n *notes) Held(b []byte) { n.note(fmt.Sprintf("held %v", b)) }

func (n *notes) Answer(b []byte) {
	if len(b) > 0 {
		n.note(fmt.Sprintf("answer %v", b))
	}
}

func (n *notes) Over() { close(n.over) }

func (n *notes) HungUp(ctx context.Context) {
	close(n.hungUp)
	select {
	case <-n.let:
	case <-ctx.Done():
	}
}

func tapped(t *testing.T, c *Cable) *notes {
	t.Helper()
	n := &notes{hungUp: make(chan struct{}), over: make(chan struct{}), let: make(chan struct{})}
	c.Tap(func() Tap { return n })
	return n
}

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatal(what)
	}
}

// What has waited at a cut is late, also if its sender has hung up. It is answered all the same, and the tap hears of it,
// because the far end does not know of the client's end until the tap lets it.
func TestATapHearsTheAnswerToWhatIsLate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := lay(t)
	n := tapped(t, c)
	conn := dial(t, c, l.Addr().String())
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	send(t, conn, 1)
	receive(t, far, 1)
	c.Cut(true, false)
	send(t, conn, 10)
	silent(t, far)
	if got, want := n.all(), []string{"request [1] false", "held [10]"}; !slices.Equal(got, want) {
		t.Errorf("in the cut it has heard %q, want %q", got, want)
	}
	_ = conn.Close()
	c.Heal()
	receive(t, far, 10)
	wait(t, "the client's end does not come", n.hungUp)
	silent(t, far)
	want := []string{"request [1] false", "held [10]", "request [10] true"}
	for b := range byte(5) { // the client is not there, which the first one that is sent to it finds out
		send(t, far, b)
		want = append(want, fmt.Sprintf("answer [%d]", b))
		deadline := time.Now().Add(time.Minute)
		for !slices.Equal(n.all(), want) {
			if time.Now().After(deadline) {
				t.Fatalf("heard %q, want %q", n.all(), want)
			}
			time.Sleep(time.Millisecond) // real time: real connections
		}
	}
	close(n.let)
	_ = far.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the far end reads %v, want the client's end", err)
	}
	_ = far.Close()
	wait(t, "the tap is not told that the far end is gone", n.over)
}

// A cable ends, though a tap would keep a client's end to itself for ever.
func TestATapDoesNotKeepACableFromItsEnd(t *testing.T) {
	c := lay(t)
	n := tapped(t, c)
	conn := dial(t, c, echo(t))
	_ = conn.Close()
	wait(t, "the client's end does not come", n.hungUp)
	ended := make(chan struct{})
	go func() { c.Close(); close(ended) }()
	wait(t, "the cable does not end", ended)
}
