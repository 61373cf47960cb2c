package conn

import (
	"net"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// scripted is a cluster of brokers that answer metadata requests after a delay, or never.
type scripted struct {
	mu     sync.Mutex
	delay  map[string]time.Duration // silent when negative
	fail   map[string]error
	asked  []string
	living int
}

func newScript() *scripted {
	return &scripted{delay: map[string]time.Duration{}, fail: map[string]error{}}
}

func (s *scripted) dial(addr string) Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.living++
	return &scriptedConn{s: s, addr: addr, dead: make(chan struct{})}
}

func (s *scripted) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *scripted) alive() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.living
}

type scriptedConn struct {
	Conn
	s    *scripted
	addr string
	dead chan struct{}
	once sync.Once
}

func (c *scriptedConn) Kill() {
	c.once.Do(func() {
		close(c.dead)
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		c.s.living--
	})
}

func (c *scriptedConn) ask() error {
	c.s.mu.Lock()
	c.s.asked = append(c.s.asked, c.addr)
	delay, err := c.s.delay[c.addr], c.s.fail[c.addr]
	c.s.mu.Unlock()
	var after <-chan time.Time
	if delay >= 0 {
		after = time.After(delay)
	}
	select {
	case <-after:
		return err
	case <-c.dead:
		return net.ErrClosed
	}
}

func (c *scriptedConn) GetMetadata(*sarama.MetadataRequest) (*sarama.MetadataResponse, error) {
	if err := c.ask(); err != nil {
		return nil, err
	}
	p := &sarama.MetadataResponse{Version: 7}
	p.AddBroker("learned:1", 7)
	p.AddTopicPartition("orders", 1, 7, nil, nil, nil, sarama.ErrNoError)
	p.AddTopicPartition("orders", 0, -1, nil, nil, nil, sarama.ErrLeaderNotAvailable)
	return p, nil
}

func (c *scriptedConn) Heartbeat(*sarama.HeartbeatRequest) (*sarama.HeartbeatResponse, error) {
	if err := c.ask(); err != nil {
		return nil, err
	}
	return &sarama.HeartbeatResponse{}, nil
}
