package conformance

import (
	"errors"
	"net"
	"sync"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer"
)

// door is the way of one member's connections, which can be shut: those that are there break, and no others are made.
type door struct {
	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]bool
}

func newDoor() *door { return &door{conns: map[net.Conn]bool{}} }

// lead has a member connect through the door.
func (d *door) lead(cfg *consumer.Config) {
	cfg.Sarama = func(c *sarama.Config) { c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, d }
}

var errShut = errors.New("nobody is there")

// Dial is proxy.Dialer's.
func (d *door) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = conn.Close()
		return nil, errShut
	}
	d.conns[conn] = true
	return conn, nil
}

func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for conn := range d.conns {
		_ = conn.Close()
	}
	clear(d.conns)
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = false
}
