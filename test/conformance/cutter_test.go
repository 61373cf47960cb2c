package conformance

import (
	"net"
	"sync/atomic"
)

// cutter breaks connections of the broker in this process when it is about to answer: the request has been carried out,
// and nobody hears of it.
type cutter struct{ cuts atomic.Int64 } // how many of the next answers get lost

// listen makes a listener whose connections can be cut.
func (c *cutter) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return &cutListener{l, c}, nil
}

// cutListener wraps what it accepts.
type cutListener struct {
	net.Listener

	cutter *cutter
}

// Accept waits for a client.
func (l *cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &cutConn{conn, l.cutter}, nil
}

// cutConn is one client's.
type cutConn struct {
	net.Conn

	cutter *cutter
}

// Write answers, or hangs up.
func (c *cutConn) Write(b []byte) (int, error) {
	if c.cutter.cuts.Load() > 0 && c.cutter.cuts.Add(-1) >= 0 {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}
