package member

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// protocolType is the type of all groups of consumers (Kafka: ConsumerProtocol.PROTOCOL_TYPE).
const protocolType = "consumer"

// request makes one request in the background and feeds its answer to the machine.
func (m *Member) request(limit time.Duration, f func(ctx context.Context) any) {
	m.work.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, limit)
		defer cancel()
		m.queue.put(f(ctx))
	})
}

// joinLimit is how long a join waits before it is sent again, over a new connection. The broker may rightly wait for all
// of the rebalance timeout, and for longer where another member has a longer one; it takes a second join in the place of
// the first. But a join may also have gone astray, on a connection that was idle for days and that something in between
// has forgotten, while heartbeats on theirs are answered: then the group must have another one before it gives away what
// this member has.
func joinLimit(rebalance, request time.Duration) time.Duration { return max(rebalance/2, request) }

// syncLimit: the broker may wait for all of the rebalance timeout before it answers a sync.
func syncLimit(rebalance, request time.Duration) time.Duration { return rebalance + request }

func (m *Member) find(a findCoordinator) {
	m.request(m.options.RequestTimeout, func(ctx context.Context) any {
		addr, err := m.options.Cluster.Coordinator(ctx, m.options.Group)
		return found{seq: a.seq, addr: addr, err: err}
	})
}

func (m *Member) join(a sendJoin) {
	q := sarama.NewJoinGroupRequest(m.options.Cluster.Version())
	q.GroupId, q.MemberId, q.GroupInstanceId, q.ProtocolType = m.options.Group, a.member, m.instance(), protocolType
	q.SessionTimeout = int32(m.options.SessionTimeout.Milliseconds())
	q.RebalanceTimeout = int32(m.options.RebalanceTimeout.Milliseconds())
	if a.reason != "" {
		q.Reason = &a.reason
	}
	limit := joinLimit(m.options.RebalanceTimeout, m.options.RequestTimeout)
	if a.member == "" && q.GroupInstanceId == nil && q.Version >= 4 { // KIP-394: it is answered with an id, and at once
		limit = m.options.RequestTimeout
	} else if a.generation < 0 { // nothing is owned that could be given away meanwhile
		limit = syncLimit(m.options.RebalanceTimeout, m.options.RequestTimeout)
	}
	m.request(limit, func(ctx context.Context) any {
		// Here and not in the loop: a plan that is being computed has the strategies for as long as it takes, and the
		// lease does not wait.
		if err := m.assignors.subscribe(q, m.options.Topics, a); err != nil {
			return joined{seq: a.seq, err: err}
		}
		if m.wanted.Load() != int64(a.seq) { // given up meanwhile: a later join must not be answered in its place
			return joined{seq: a.seq, err: context.Canceled}
		}
		p, err := conn.Call(ctx, m.options.Coordinator, conn.Joins, func(c conn.Conn) (*sarama.JoinGroupResponse, error) { return c.JoinGroup(q) })
		if err != nil {
			return joined{seq: a.seq, err: err, timedOut: errors.Is(err, context.DeadlineExceeded)}
		}
		return joined{
			seq: a.seq, err: conn.AsError(p.Err), member: p.MemberId, generation: p.GenerationId,
			protocol: p.GroupProtocol, leader: p.LeaderId, members: p.Members,
		}
	})
}

func (m *Member) sync(a sendSync) {
	q, typ := &sarama.SyncGroupRequest{}, protocolType
	if p, ok := a.plan.(*sarama.SyncGroupRequest); ok {
		q = p
	}
	q.Version, q.GroupId, q.MemberId, q.GenerationId, q.GroupInstanceId = 4, m.options.Group, a.member, a.generation, m.instance()
	if m.options.Cluster.Version().IsAtLeast(sarama.V2_5_0_0) { // KIP-559
		q.Version, q.ProtocolType, q.ProtocolName = 5, &typ, &a.protocol
	}
	m.request(syncLimit(m.options.RebalanceTimeout, m.options.RequestTimeout), func(ctx context.Context) any {
		sent := m.clock.now()
		p, err := conn.Call(ctx, m.options.Coordinator, conn.Joins, func(c conn.Conn) (*sarama.SyncGroupResponse, error) { return c.SyncGroup(q) })
		if err == nil {
			err = conn.AsError(p.Err)
		}
		s := synced{seq: a.seq, sent: sent, err: err}
		if err == nil && len(p.MemberAssignment) > 0 {
			s.assigned, s.err = m.assignors.assigned(p, a)
		}
		return s
	})
}

func (m *Member) heartbeat(a sendHeartbeat) {
	q := &sarama.HeartbeatRequest{
		Version: 4, GroupId: m.options.Group, MemberId: a.member, GenerationId: a.generation, GroupInstanceId: m.instance(),
	}
	m.request(m.options.RequestTimeout, func(ctx context.Context) any {
		sent := m.clock.now()
		p, err := conn.Call(ctx, m.options.Coordinator, conn.Heartbeats, func(c conn.Conn) (*sarama.HeartbeatResponse, error) { return c.Heartbeat(q) })
		if err == nil {
			err = conn.AsError(p.Err)
		}
		return beaten{a.seq, sent, err}
	})
}

func (m *Member) leave(a sendLeave) {
	id := sarama.MemberIdentity{MemberId: a.member, GroupInstanceId: m.instance()}
	q := &sarama.LeaveGroupRequest{Version: 4, GroupId: m.options.Group}
	if m.options.Cluster.Version().IsAtLeast(sarama.V3_2_0_0) { // KIP-800
		reason := "the consumer stops"
		q.Version, id.Reason = 5, &reason
	}
	q.Members = []sarama.MemberIdentity{id}
	m.request(m.options.RequestTimeout, func(ctx context.Context) any {
		p, err := conn.Call(ctx, m.options.Coordinator, conn.Heartbeats, func(c conn.Conn) (*sarama.LeaveGroupResponse, error) { return c.LeaveGroup(q) })
		if err == nil {
			err = conn.AsError(p.Err) // what concerns the member stands in Members, and says that it is not in the group
		}
		return left{a.seq, err}
	})
}

func (m *Member) instance() *string {
	if m.options.InstanceID == "" {
		return nil
	}
	return &m.options.InstanceID
}

// byTopic sorts partitions into their topics.
func byTopic(tps []tp) []*sarama.OwnedPartition {
	topics := map[string][]int32{}
	for _, p := range tps {
		topics[p.topic] = append(topics[p.topic], p.partition)
	}
	var all []*sarama.OwnedPartition
	for _, t := range slices.Sorted(maps.Keys(topics)) {
		all = append(all, &sarama.OwnedPartition{Topic: t, Partitions: topics[t]})
	}
	return all
}
