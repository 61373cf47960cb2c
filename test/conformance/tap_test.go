package conformance

import (
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer"
)

// tap makes the connections of one member, and notes where each of them goes and how it begins.
type tap struct {
	mu    sync.Mutex
	conns []*tapped
}

// tapped is one connection of a tap.
type tapped struct {
	net.Conn

	address string
	once    sync.Once
	tap     *tap
	first   int // byte that was written; -1 before that
}

// handshake is the first byte of a TLS connection: a record of the handshake protocol (RFC 8446, 5.1).
const handshake = 0x16

// through has a member connect through the tap.
func (p *tap) through(cfg *consumer.Config) {
	cfg.Sarama = func(c *sarama.Config) { c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, p }
}

// Dial is proxy.Dialer's.
func (p *tap) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	c := &tapped{Conn: conn, address: address, tap: p, first: -1}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, c)
	return c, nil
}

// count is how many connections have been made.
func (p *tap) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// Write notes the first byte.
func (c *tapped) Write(b []byte) (int, error) {
	if len(b) > 0 {
		c.once.Do(func() {
			c.tap.mu.Lock()
			defer c.tap.mu.Unlock()
			c.first = int(b[0])
		})
	}
	return c.Conn.Write(b)
}

// leastConns is how many connections a member has that consumes: for joins, heartbeats, offsets, records and look-ups.
const leastConns = 5

// secure fails the test unless the member has made all of its connections to these listeners, each of them with TLS.
func (p *tap) secure(t testing.TB, member string, listeners []string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	spoke := 0
	for _, c := range p.conns {
		if !slices.Contains(listeners, c.address) {
			t.Errorf("%s has connected to %s, want one of %v alone", member, c.address, listeners)
		}
		if c.first < 0 {
			continue // given up before a word was said
		}
		spoke++
		if c.first != handshake {
			t.Errorf("%s: a connection to %s begins with the byte %#x, not with a TLS handshake", member, c.address, c.first)
		}
	}
	if spoke < leastConns {
		t.Errorf("%s has made %d connections through its dialer, want at least %d: the others went past it", member, spoke, leastConns)
	}
}
