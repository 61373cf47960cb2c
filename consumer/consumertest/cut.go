package consumertest

import (
	"context"
	"net"
	"sync"
)

// cuttable are the brokers' connections.
type cuttable struct {
	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{}
}

// listen is for kfake.
func (c *cuttable) listen(network, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	return &cuttableListener{l, c}, nil
}

// cut breaks what there is; what comes is broken, too, while down.
func (c *cuttable) cut(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
	if down {
		for conn := range c.conns {
			_ = conn.Close() // the other end sees it
		}
	}
}

// cuttableListener wraps what it accepts.
type cuttableListener struct {
	net.Listener

	wire *cuttable
}

// Accept waits for a client that may connect.
func (l *cuttableListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if conn := l.wire.admit(conn); conn != nil {
			return conn, nil
		}
	}
}

func (c *cuttable) admit(conn net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		_ = conn.Close()
		return nil
	}
	if c.conns == nil {
		c.conns = map[net.Conn]struct{}{}
	}
	c.conns[conn] = struct{}{}
	return &cuttableConn{conn, c}
}

// cuttableConn is one client's.
type cuttableConn struct {
	net.Conn

	wire *cuttable
}

// Close forgets it.
func (c *cuttableConn) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.conns, c.Conn)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}
