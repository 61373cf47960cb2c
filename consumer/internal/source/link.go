package source

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/proxy"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// link is one connection to one broker for fetching.
type link struct {
	dialer *conn.Dialer // of this connection alone: its Close waits for the connection's end
	broker *conn.Broker
	watch  *watch
	ready  bool // connected and logged in; the lane's goroutine
}

// open begins to connect and returns at once.
func open(o *Options, addr string) (*link, error) {
	w := &watch{patience: o.RequestTimeout + o.MaxWait}
	d, err := conn.NewDialer(linkConfig(o, w))
	if err != nil {
		return nil, err
	}
	return &link{dialer: d, broker: d.Open(addr), watch: w}, nil
}

// linkConfig is the user's configuration for a connection that w watches.
func linkConfig(o *Options, w *watch) *sarama.Config {
	c := *o.Config
	c.Net.MaxOpenRequests = 1
	c.Net.DialTimeout = min(c.Net.DialTimeout, o.RequestTimeout)
	c.Net.WriteTimeout = min(c.Net.WriteTimeout, o.RequestTimeout)
	if w == nil {
		return &c
	}
	c.Net.Proxy.Enable = true
	switch through := o.Config.Net.Proxy.Dialer; {
	case !o.Config.Net.Proxy.Enable:
		c.Net.Proxy.Dialer = &contextDialer{w, &net.Dialer{KeepAlive: c.Net.KeepAlive, LocalAddr: c.Net.LocalAddr}}
	default:
		if d, ok := through.(proxy.ContextDialer); ok {
			c.Net.Proxy.Dialer = &contextDialer{w, d}
		} else {
			c.Net.Proxy.Dialer = &plainDialer{w, through}
		}
	}
	return &c
}

// fetch makes one request, and the first time waits for the connection. It takes whatever sarama's decoder does to a
// damaged answer for an error, even a panic.
func (l *link) fetch(q *sarama.FetchRequest) (p *sarama.FetchResponse, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("sarama panicked on the answer: %v", r)
		}
	}()
	if !l.ready {
		if l.ready, err = l.broker.Connected(); !l.ready {
			return nil, cmp.Or(err, sarama.ErrNotConnected)
		}
	}
	return l.broker.Fetch(q)
}

// decoding says that a failed fetch had an answer, which could not be decoded.
func (l *link) decoding(err error) bool {
	return decoding(err, l.ready, l.watch.broken.Load())
}

// cut ends the connection and what is in flight, and returns at once.
func (l *link) cut() { l.broker.Kill() }

// close is cut, and waits for the end.
func (l *link) close() { l.dialer.Close() }

// watch is told what a connection does: whether it failed, as opposed to what came over it.
type watch struct {
	patience time.Duration // a read that brings nothing for longer fails
	broken   atomic.Bool
}

func (w *watch) over(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return &watched{Conn: c, watch: w}, nil
}

type contextDialer struct {
	watch *watch
	to    proxy.ContextDialer
}

// Dial implements proxy.Dialer, which nobody calls where there is a DialContext.
func (d *contextDialer) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, addr)
}

// DialContext implements proxy.ContextDialer.
func (d *contextDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d.watch.over(d.to.DialContext(ctx, network, addr))
}

type plainDialer struct {
	watch *watch
	to    proxy.Dialer
}

// Dial implements proxy.Dialer.
func (d *plainDialer) Dial(network, addr string) (net.Conn, error) {
	return d.watch.over(d.to.Dial(network, addr))
}

// watched is a connection with a limit on silence. sarama's own read timeout bounds a whole answer, so that one
// that is large and slow would be cut, and asked for again, for ever.
type watched struct {
	net.Conn

	watch *watch
}

// Read implements net.Conn.
func (c *watched) Read(b []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(c.watch.patience)); err != nil {
		c.watch.broken.Store(true)
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if err != nil {
		c.watch.broken.Store(true)
	}
	return n, err
}

// Write implements net.Conn.
func (c *watched) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		c.watch.broken.Store(true)
	}
	return n, err
}

// SetReadDeadline is left to Read.
func (c *watched) SetReadDeadline(time.Time) error { return nil }
