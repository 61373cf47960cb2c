package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
)

// wire makes the connections of one member, and can be cut as a network is: nobody hangs up. What is sent meanwhile
// arrives when it is mended, also from a connection that the member has closed: as the kernel does, which sends again for
// minutes what was not acknowledged.
type wire struct {
	mu     sync.Mutex
	broken broken
	mended chan struct{} // closed when it is whole again
	conns  []*wired
	flush  sync.WaitGroup // of what is sent late
	late   []error        // what brokers answered to commits that arrived late; nil: accepted
}

// broken says which direction of a wire is cut.
type broken struct{ requests, answers bool }

// any: it is not whole.
func (b broken) any() bool { return b.requests || b.answers }

func (b broken) String() string {
	switch {
	case b.requests && b.answers:
		return "both ways"
	case b.requests:
		return "requests get lost"
	default:
		return "answers get lost"
	}
}

// wired is one connection.
type wired struct {
	net.Conn

	wire   *wire
	closed chan struct{}
	once   sync.Once
	held   [][]byte // requests that have not been sent; under the wire's lock
}

// through has a member connect through the wire.
func (w *wire) through(cfg *consumer.Config) {
	cfg.Sarama = func(c *sarama.Config) { c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, w }
}

// cut breaks the wire.
func (w *wire) cut(b broken) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken, w.mended = b, make(chan struct{})
}

// mend makes it whole, and delivers what was sent meanwhile.
func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.broken.any() {
		return
	}
	w.broken = broken{}
	close(w.mended)
	for _, c := range w.conns {
		held := c.held
		c.held = nil
		for _, b := range held {
			_, _ = c.Conn.Write(b)
		}
		switch {
		case !closed(c.closed):
		case slices.ContainsFunc(held, commits):
			w.flush.Go(func() { c.linger(held) })
		default:
			_ = c.Conn.Close()
		}
	}
}

// Dial is proxy.Dialer's.
func (w *wire) Dial(network, address string) (net.Conn, error) {
	return w.DialContext(context.Background(), network, address)
}

// DialContext is proxy.ContextDialer's. Who dials waits while both ways are cut; while one is, the connection is made, as
// by a proxy that does not forward.
func (w *wire) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	wait := w.mended
	whole := !w.broken.requests || !w.broken.answers
	w.mu.Unlock()
	if !whole {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &wired{Conn: conn, wire: w, closed: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, c)
	return c, nil
}

// Write sends, or holds back.
func (c *wired) Write(b []byte) (int, error) {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if !c.wire.broken.requests {
		return c.Conn.Write(b)
	}
	c.held = append(c.held, append([]byte(nil), b...))
	return len(b), nil
}

// Read receives; what has arrived while answers are cut is held back.
func (c *wired) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.mu.Lock()
	broken, mended := c.wire.broken, c.wire.mended
	c.wire.mu.Unlock()
	if broken.answers {
		select {
		case <-mended:
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
	return n, err
}

// Close closes it. The broker hears of it behind everything else.
func (c *wired) Close() error {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	var err error
	c.once.Do(func() {
		close(c.closed)
		if !c.wire.broken.any() {
			err = c.Conn.Close()
			return
		}
		err = c.Conn.SetReadDeadline(time.Now()) // whoever reads has to know; mend does the rest
	})
	return err
}

// SetReadDeadline is that of one who reads; nobody does on a closed connection but linger.
func (c *wired) SetReadDeadline(at time.Time) error {
	if closed(c.closed) {
		return net.ErrClosed
	}
	return c.Conn.SetReadDeadline(at)
}

// SetDeadline must not go past SetReadDeadline.
func (c *wired) SetDeadline(at time.Time) error {
	return errors.Join(c.SetReadDeadline(at), c.SetWriteDeadline(at))
}

// linger reads the answers to what has arrived late, of a connection that the member has given up, and closes it.
func (c *wired) linger(held [][]byte) {
	defer func() { _ = c.Conn.Close() }()
	if c.Conn.SetReadDeadline(time.Now().Add(patience)) != nil {
		return
	}
	for _, request := range held {
		body, err := answer(c.Conn)
		if err != nil {
			if commits(request) {
				c.wire.note(err) // hung up, which is a refusal, too
			}
			return
		}
		if commits(request) {
			c.wire.note(verdict(request, body))
		}
	}
}

func (w *wire) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = append(w.late, err)
}

// answer reads one response, from behind its size on.
func answer(from io.Reader) ([]byte, error) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(from, size); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size))
	_, err := io.ReadFull(from, body)
	return body, err
}

// commits: the request is an OffsetCommit. It begins with its size, its kind and its version.
func commits(request []byte) bool {
	return len(request) > 8 && kmsg.Key(binary.BigEndian.Uint16(request[4:])) == kmsg.OffsetCommit
}

var errUnreadable = errors.New("the answer cannot be read")

// verdict is what the broker made of a commit: nil when it was accepted, for any partition.
func verdict(request, body []byte) error {
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Version = int16(binary.BigEndian.Uint16(request[6:]))
	header := 4 // the request's number; behind it, in flexible versions, the count of tags
	if resp.IsFlexible() {
		header++
	}
	if len(body) < header {
		return errUnreadable
	}
	if err := resp.ReadFrom(body[header:]); err != nil {
		return errors.Join(errUnreadable, err)
	}
	refused := errUnreadable // without a partition
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if refused = kerr.ErrorForCode(p.ErrorCode); refused == nil {
				return nil
			}
		}
	}
	return refused
}

// fenced waits for the answers to what arrived late, and fails the test unless all of the commits among it were refused,
// of which there have to be some.
func (w *wire) fenced(t testing.TB) {
	t.Helper()
	w.flush.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.late) == 0 {
		t.Error("no commit arrived late: nothing is shown")
	}
	for _, err := range w.late {
		switch {
		case err == nil:
			t.Error("a commit that arrived late was accepted")
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, errUnreadable):
			t.Errorf("what became of a commit that arrived late is not known: %v", err)
		default:
			t.Logf("a commit that arrived late was refused: %v", err)
		}
	}
}
