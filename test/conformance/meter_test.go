package conformance

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
)

// meter makes the connections of one member, and counts what it asks: what a broker would complain of.
type meter struct {
	mu     sync.Mutex
	counts map[kmsg.Key]int
}

// metered is one of its connections.
type metered struct {
	net.Conn

	meter *meter
}

// through has a member connect through the meter.
func (m *meter) through(cfg *consumer.Config) {
	cfg.Sarama = func(c *sarama.Config) { c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, m }
}

// Dial is proxy.Dialer's.
func (m *meter) Dial(network, address string) (net.Conn, error) {
	m.count(connects)
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return metered{conn, m}, nil
}

// connects stands for a new connection among the keys of requests.
const connects kmsg.Key = -1

// Write counts a request, which comes whole: its length (four bytes), then its key (two).
func (c metered) Write(b []byte) (int, error) {
	if len(b) > 6 {
		c.meter.count(kmsg.Key(binary.BigEndian.Uint16(b[4:])))
	}
	return c.Conn.Write(b)
}

func (m *meter) count(key kmsg.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = map[kmsg.Key]int{}
	}
	m.counts[key]++
}

// reset forgets what was counted, and answers it.
func (m *meter) reset() map[kmsg.Key]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.counts
	m.counts = map[kmsg.Key]int{}
	return was
}

// listed are counts in words.
func listed(counts map[kmsg.Key]int) string {
	var out []string
	for key, n := range counts {
		name := key.Name()
		if key == connects {
			name = "connect"
		}
		out = append(out, fmt.Sprint(name, " ", n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
