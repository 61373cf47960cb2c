package conn

import (
	"context"
	"net"

	"golang.org/x/net/proxy"

	"github.com/IBM/sarama"
)

// hook is the dialer that sarama calls: it dials as the user's configuration says, a proxy included, and tells
// the broker which net.Conn came of it.
type hook struct {
	broker *Broker
	config *sarama.Config // the user's, with the user's own proxy
}

// Dial implements proxy.Dialer. It ends with the broker's connection and after Net.DialTimeout.
func (h *hook) Dial(network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(h.broker.ctx, h.config.Net.DialTimeout)
	defer cancel()
	c, err := h.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if err := h.broker.remember(c); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (h *hook) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if !h.config.Net.Proxy.Enable {
		d := net.Dialer{KeepAlive: h.config.Net.KeepAlive, LocalAddr: h.config.Net.LocalAddr}
		return d.DialContext(ctx, network, addr)
	}
	if d, ok := h.config.Net.Proxy.Dialer.(proxy.ContextDialer); ok {
		return d.DialContext(ctx, network, addr)
	}
	return outwait(ctx, func() (net.Conn, error) { return h.config.Net.Proxy.Dialer.Dial(network, addr) })
}

// outwait waits for a dial that knows no context. One that comes too late is closed when it comes: until then
// its goroutine is the price of such a dialer.
func outwait(ctx context.Context, dial func() (net.Conn, error)) (net.Conn, error) {
	type result struct {
		c   net.Conn
		err error
	}
	ch := make(chan result)
	go func() {
		c, err := dial()
		select {
		case ch <- result{c, err}:
		case <-ctx.Done():
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	select {
	case r := <-ch:
		return r.c, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
