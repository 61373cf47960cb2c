package simulation

import (
	"errors"
	"sync"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// cable is the network between one process and all brokers. A cut is silent: nothing is refused, nothing arrives.
type cable struct {
	dialer func(addr string) conn.Conn
	gate   *gate // of the process

	mu       sync.Mutex
	out, in  bool // requests, answers get lost
	severed  bool // for good: the process is dead
	onRepair func()
}

func (c *cable) cut(out, in bool) {
	c.mu.Lock()
	c.out, c.in = out, in
	repaired := !out && !in && c.onRepair != nil
	c.mu.Unlock()
	if repaired {
		c.onRepair()
	}
}

func (c *cable) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.severed = true
}

func (c *cable) lost() (out, in bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out || c.severed, c.in || c.severed
}

// whole: fetches come through.
func (c *cable) whole() bool {
	out, in := c.lost()
	return !out && !in
}

func (c *cable) dial(addr string) conn.Conn {
	return &strand{Conn: c.dialer(addr), cable: c, dead: make(chan struct{})}
}

// strand is one connection over the cable.
type strand struct {
	conn.Conn

	cable *cable
	once  sync.Once
	dead  chan struct{}
}

var errCut = errors.New("the connection was given up")

// Kill ends it, also while it waits for what never comes.
func (s *strand) Kill() {
	s.once.Do(func() { close(s.dead) })
	s.Conn.Kill()
}

// over brings a request to the broker and the answer back, unless the cable is cut: then only Kill ends the wait.
func over[Q, A any](s *strand, q Q, ask func(Q) (A, error)) (A, error) {
	var none A
	s.cable.gate.pass()
	defer s.cable.gate.pass() // the answer is read by who goes on
	if out, _ := s.cable.lost(); out {
		<-s.dead
		return none, errCut
	}
	a, err := ask(q)
	if _, in := s.cable.lost(); in {
		<-s.dead
		return none, errCut
	}
	return a, err
}

func (s *strand) JoinGroup(q *sarama.JoinGroupRequest) (*sarama.JoinGroupResponse, error) {
	return over(s, q, s.Conn.JoinGroup)
}

func (s *strand) SyncGroup(q *sarama.SyncGroupRequest) (*sarama.SyncGroupResponse, error) {
	return over(s, q, s.Conn.SyncGroup)
}

func (s *strand) Heartbeat(q *sarama.HeartbeatRequest) (*sarama.HeartbeatResponse, error) {
	return over(s, q, s.Conn.Heartbeat)
}

func (s *strand) LeaveGroup(q *sarama.LeaveGroupRequest) (*sarama.LeaveGroupResponse, error) {
	return over(s, q, s.Conn.LeaveGroup)
}

func (s *strand) CommitOffset(q *sarama.OffsetCommitRequest) (*sarama.OffsetCommitResponse, error) {
	return over(s, q, s.Conn.CommitOffset)
}

func (s *strand) FetchOffset(q *sarama.OffsetFetchRequest) (*sarama.OffsetFetchResponse, error) {
	return over(s, q, s.Conn.FetchOffset)
}

func (s *strand) FindCoordinator(q *sarama.FindCoordinatorRequest) (*sarama.FindCoordinatorResponse, error) {
	return over(s, q, s.Conn.FindCoordinator)
}

func (s *strand) GetMetadata(q *sarama.MetadataRequest) (*sarama.MetadataResponse, error) {
	return over(s, q, s.Conn.GetMetadata)
}
