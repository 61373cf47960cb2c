// Package cable is a network that can be cut: a SOCKS5 proxy on 127.0.0.1 between one client and everybody else.
//
// A cut hangs nobody up. What is sent into it waits, as in a sender's kernel that repeats it, and arrives when the cut is
// healed, also what comes of a connection that its sender has given up meanwhile. Either direction can be cut alone: the
// client's requests, or the answers to them.
package cable

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// Cable is one client's network. Its methods are safe for concurrent use.
type Cable struct {
	listener          net.Listener
	requests, answers gate
	ctx               context.Context //nolint:containedctx // the cable's own: ends with Close
	cancel            context.CancelFunc
	done              sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	tap    func() Tap
	closed bool
}

// Lay makes a cable, whole in both directions. Close it.
func Lay() (*Cable, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &Cable{listener: l, conns: map[net.Conn]struct{}{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.done.Go(c.accept)
	return c, nil
}

// Addr is the proxy's host:port.
func (c *Cable) Addr() string { return c.listener.Addr().String() }

// Cut stops the directions that are true, and lets the other one pass.
func (c *Cable) Cut(requests, answers bool) {
	c.requests.set(!requests)
	c.answers.set(!answers)
}

// Heal lets both directions pass: what waits arrives first.
func (c *Cable) Heal() { c.Cut(false, false) }

// Close hangs up every connection, and waits for their end.
func (c *Cable) Close() {
	c.cancel()
	_ = c.listener.Close()
	c.mu.Lock()
	c.closed = true
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.done.Wait()
}

// hold keeps account of a connection; false: the cable is closed, and so is the connection.
func (c *Cable) hold(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close()
		return false
	}
	c.conns[conn] = struct{}{}
	return true
}

func (c *Cable) drop(conn net.Conn) {
	_ = conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
}

func (c *Cable) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		if !c.hold(conn) {
			return
		}
		c.done.Go(func() {
			defer c.drop(conn)
			c.serve(conn)
		})
	}
}

// serve connects a client with whom it asks for. To connect takes a packet each way, so it waits for both directions.
func (c *Cable) serve(client net.Conn) {
	target, err := greet(client)
	if err != nil || !c.requests.pass(c.ctx, nil) {
		return
	}
	var dialer net.Dialer
	far, err := dialer.DialContext(c.ctx, "tcp", target)
	if !c.answers.pass(c.ctx, nil) || answer(client, err) != nil || err != nil {
		if far != nil {
			_ = far.Close()
		}
		return
	}
	if !c.hold(far) {
		return
	}
	defer c.drop(far)
	tap := c.tapped()
	var back sync.WaitGroup
	back.Go(func() { c.answer(client, far, tap) })
	c.request(far, client, tap)
	back.Wait()
}

// request carries what a client sends, to its end, which waits at a cut like all else. An end without a word is handed on
// as one: the other direction goes on. After an error nothing can go on.
func (c *Cable) request(far, client net.Conn, tap Tap) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		late := false
		if !c.requests.pass(c.ctx, func() { late = true; tap.Held(buffer[:n]) }) {
			return
		}
		if n > 0 {
			tap.Request(buffer[:n], late)
			if _, err := far.Write(buffer[:n]); err != nil {
				_ = client.Close()
				return
			}
		}
		if err != nil {
			tap.HungUp(c.ctx)
			end(far, err)
			return
		}
	}
}

// answer carries what comes back, in the same way. With a tap it is read to the end also when the client has gone.
func (c *Cable) answer(client, far net.Conn, tap Tap) {
	defer tap.Over()
	buffer := make([]byte, 64<<10)
	for gone := false; ; {
		n, err := far.Read(buffer)
		tap.Answer(buffer[:n])
		if !c.answers.pass(c.ctx, nil) {
			return
		}
		if n > 0 && !gone {
			if _, err := client.Write(buffer[:n]); err != nil {
				if tap == deaf {
					_ = far.Close()
					return
				}
				gone = true
			}
		}
		if err != nil {
			end(client, err)
			return
		}
	}
}

// end hands on that nothing more comes.
func end(to net.Conn, err error) {
	if errors.Is(err, io.EOF) {
		_ = to.(*net.TCPConn).CloseWrite() //nolint:errcheck // both are TCP
		return
	}
	_ = to.Close()
}
