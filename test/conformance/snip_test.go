package conformance

import (
	"io"
	"net"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// snips makes the connections of one member, and breaks those on which a request of one kind is sent.
type snips struct {
	kind     kmsg.Key
	requests atomic.Int64 // how many of the next ones do not arrive
	answers  atomic.Int64 // how many of the next ones are carried out, and nobody hears of it
}

// snipped is one of its connections.
type snipped struct {
	net.Conn

	snips *snips
	deaf  atomic.Bool // the next answer is the last
}

// Dial is proxy.Dialer's.
func (s *snips) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &snipped{Conn: conn, snips: s}, nil
}

// Write breaks off where it should. A request comes whole, and begins with its length (four bytes) and its key (two).
func (c *snipped) Write(b []byte) (int, error) {
	if len(b) > 6 && int16(b[4])<<8|int16(b[5]) == int16(c.snips.kind) {
		if take(&c.snips.requests) {
			_ = c.Close()
			return 0, net.ErrClosed
		}
		if take(&c.snips.answers) {
			c.deaf.Store(true)
		}
	}
	return c.Conn.Write(b)
}

// Read waits for the answer, which says that the request was carried out, and drops it.
func (c *snipped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.deaf.Load() {
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// take is one of what is left.
func take(left *atomic.Int64) bool { return left.Load() > 0 && left.Add(-1) >= 0 }
