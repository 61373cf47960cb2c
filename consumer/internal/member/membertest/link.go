package membertest

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// errBroken is what a request on a broken connection is answered with.
var errBroken = errors.New("the connection is broken")

// errRefused is the answer of a broker that takes no connections.
var errRefused = errors.New("connection refused")

// link is one connection.
type link struct {
	c    *Cluster
	addr string
	dead chan struct{}
	once sync.Once
	used time.Time // when the last answer came
}

var _ conn.Conn = (*link)(nil)

// Kill implements conn.Conn.
func (l *link) Kill() { l.once.Do(func() { close(l.dead) }) }

// travel takes one way's time. A silent broker swallows what is on its way.
func (l *link) travel() error {
	l.c.mu.Lock()
	latency := l.c.latency
	l.c.mu.Unlock()
	select {
	case <-time.After(latency):
	case <-l.dead:
		return errBroken
	}
	l.c.mu.Lock()
	refusing, silent := l.c.refusing[l.addr], l.c.silent[l.addr]
	l.c.mu.Unlock()
	switch {
	case refusing:
		l.Kill()
		return errRefused
	case silent:
		<-l.dead
		return errBroken
	}
	return nil
}

// reply is an answer that may have to wait for other members.
type reply[T any] struct{ ch chan T }

func later[T any]() reply[T] { return reply[T]{make(chan T, 1)} }

func now[T any](v T) reply[T] {
	r := later[T]()
	r.ch <- v
	return r
}

// serve brings a request to the broker, carries it out under the lock, and brings the answer back. fail makes the
// answer of an error code; group is for requests that only the coordinator answers.
func serve[T any](l *link, api API, group bool, fail func(sarama.KError) T, do func(c *Cluster) reply[T]) (T, error) {
	var none T
	if err := l.travel(); err != nil {
		return none, err
	}
	c := l.c
	c.mu.Lock()
	if c.idle > 0 && !l.used.IsZero() && time.Since(l.used) >= c.idle {
		c.mu.Unlock()
		l.Kill()
		return none, errBroken
	}
	c.requests[api]++
	var f fault
	if q := c.faults[api]; len(q) > 0 {
		f, c.faults[api] = q[0], q[1:]
	}
	var r reply[T]
	switch {
	case f.code != sarama.ErrNoError:
		r = now(fail(f.code))
	case group && l.addr != c.coordinator:
		r = now(fail(sarama.ErrNotCoordinatorForConsumer))
	default:
		r = do(c)
	}
	c.mu.Unlock()
	select {
	case v := <-r.ch:
		if f.lose {
			l.Kill()
			return none, errBroken
		}
		if err := l.travel(); err != nil {
			return none, err
		}
		c.mu.Lock()
		l.used = time.Now()
		c.mu.Unlock()
		return v, nil
	case <-l.dead:
		return none, errBroken
	}
}

// JoinGroup implements conn.Conn.
func (l *link) JoinGroup(q *sarama.JoinGroupRequest) (*sarama.JoinGroupResponse, error) {
	fail := func(k sarama.KError) *sarama.JoinGroupResponse { return &sarama.JoinGroupResponse{Err: k} }
	return serve(l, Join, true, fail, func(c *Cluster) reply[*sarama.JoinGroupResponse] {
		if time.Duration(q.SessionTimeout)*time.Millisecond < c.minSession {
			return now(fail(sarama.ErrInvalidSessionTimeout))
		}
		return c.group.join(q)
	})
}

// SyncGroup implements conn.Conn.
func (l *link) SyncGroup(q *sarama.SyncGroupRequest) (*sarama.SyncGroupResponse, error) {
	return serve(l, Sync, true, func(k sarama.KError) *sarama.SyncGroupResponse { return &sarama.SyncGroupResponse{Err: k} },
		func(c *Cluster) reply[*sarama.SyncGroupResponse] { return c.group.sync(q) })
}

// Heartbeat implements conn.Conn.
func (l *link) Heartbeat(q *sarama.HeartbeatRequest) (*sarama.HeartbeatResponse, error) {
	fail := func(k sarama.KError) *sarama.HeartbeatResponse { return &sarama.HeartbeatResponse{Err: k} }
	return serve(l, Heartbeat, true, fail, func(c *Cluster) reply[*sarama.HeartbeatResponse] {
		return now(fail(c.group.heartbeat(q.MemberId, q.GroupInstanceId, q.GenerationId)))
	})
}

// LeaveGroup implements conn.Conn.
func (l *link) LeaveGroup(q *sarama.LeaveGroupRequest) (*sarama.LeaveGroupResponse, error) {
	return serve(l, Leave, true, func(k sarama.KError) *sarama.LeaveGroupResponse { return &sarama.LeaveGroupResponse{Err: k} },
		func(c *Cluster) reply[*sarama.LeaveGroupResponse] {
			p := &sarama.LeaveGroupResponse{}
			for _, id := range q.Members {
				p.Members = append(p.Members, sarama.MemberResponse{MemberId: id.MemberId, GroupInstanceId: id.GroupInstanceId, Err: c.group.leave(id)})
			}
			return now(p)
		})
}

// CommitOffset implements conn.Conn. It does not ask who owns a partition.
func (l *link) CommitOffset(q *sarama.OffsetCommitRequest) (*sarama.OffsetCommitResponse, error) {
	answer := func(c *Cluster, k sarama.KError) *sarama.OffsetCommitResponse {
		p := &sarama.OffsetCommitResponse{}
		for t, n := range c.topics {
			for i := range int32(n) {
				if next, meta, err := q.Offset(t, i); err == nil {
					p.AddError(t, i, k)
					if k == sarama.ErrNoError {
						o := Offset{next, meta, q.ConsumerID, q.ConsumerGroupGeneration}
						c.offsets[position{t, i}] = o
						if c.onCommit != nil {
							c.onCommit(t, i, o)
						}
					}
				}
			}
		}
		return p
	}
	fail := func(k sarama.KError) *sarama.OffsetCommitResponse { return answer(l.c, k) }
	return serve(l, Commit, true, fail, func(c *Cluster) reply[*sarama.OffsetCommitResponse] {
		return now(answer(c, c.group.commit(q.ConsumerID, q.GroupInstanceId, q.ConsumerGroupGeneration)))
	})
}

// FetchOffset implements conn.Conn, for requests of version 8, which sarama makes for Kafka 3.0 and later.
func (l *link) FetchOffset(q *sarama.OffsetFetchRequest) (*sarama.OffsetFetchResponse, error) {
	if q.Version < 8 || len(q.Groups) != 1 {
		return nil, sarama.ErrUnsupportedVersion
	}
	asked := q.Groups[0]
	fail := func(k sarama.KError) *sarama.OffsetFetchResponse {
		return &sarama.OffsetFetchResponse{Version: 8, Groups: []sarama.OffsetFetchResponseGroup{{GroupId: asked.GroupId, Err: k}}}
	}
	return serve(l, Offsets, true, fail, func(c *Cluster) reply[*sarama.OffsetFetchResponse] {
		p := fail(sarama.ErrNoError)
		for t, ps := range asked.Partitions {
			for _, i := range ps {
				b := &sarama.OffsetFetchResponseBlock{Offset: -1}
				if o, ok := c.offsets[position{t, i}]; ok {
					b.Offset, b.Metadata = o.Next, o.Metadata
				}
				p.Groups[0].AddBlock(t, i, b)
			}
		}
		return now(p)
	})
}

// FindCoordinator implements conn.Conn.
func (l *link) FindCoordinator(*sarama.FindCoordinatorRequest) (*sarama.FindCoordinatorResponse, error) {
	fail := func(k sarama.KError) *sarama.FindCoordinatorResponse { return &sarama.FindCoordinatorResponse{Err: k} }
	return serve(l, Find, false, fail, func(c *Cluster) reply[*sarama.FindCoordinatorResponse] {
		return now(&sarama.FindCoordinatorResponse{Coordinator: sarama.NewBroker(c.coordinator)})
	})
}

// GetMetadata implements conn.Conn. The leader of partition p is broker p modulo three.
func (l *link) GetMetadata(q *sarama.MetadataRequest) (*sarama.MetadataResponse, error) {
	answer := func(c *Cluster, k sarama.KError) *sarama.MetadataResponse {
		p := &sarama.MetadataResponse{Version: 7}
		for i, b := range c.brokers {
			p.AddBroker(b, int32(i))
		}
		for _, t := range q.Topics {
			switch n := c.topics[t]; {
			case k != sarama.ErrNoError:
				p.AddTopic(t, k)
			case n == 0:
				p.AddTopic(t, sarama.ErrUnknownTopicOrPartition)
			default:
				for i := range int32(n) {
					p.AddTopicPartition(t, i, i%3, nil, nil, nil, sarama.ErrNoError)
				}
			}
		}
		return p
	}
	fail := func(k sarama.KError) *sarama.MetadataResponse { return answer(l.c, k) }
	return serve(l, Metadata, false, fail, func(c *Cluster) reply[*sarama.MetadataResponse] { return now(answer(c, sarama.ErrNoError)) })
}

// errNotScripted is the answer to requests that no test of ours needs.
var errNotScripted = errors.New("membertest: ListOffsets is not scripted")

// GetAvailableOffsets implements conn.Conn: sarama does not tell what its request asks for.
func (l *link) GetAvailableOffsets(*sarama.OffsetRequest) (*sarama.OffsetResponse, error) {
	return nil, errNotScripted
}

// has says whether the slice has an element that f likes.
func has[T any](s []T, f func(T) bool) bool { return slices.ContainsFunc(s, f) }
