package member

import (
	"context"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/security"
)

// The requests. Each runs in a goroutine of its own and posts its answer. Versions are the newest that sarama knows;
// its Broker lowers them to what the node offers.

// joinSlack is how much longer than the rebalance timeout a join or a sync may take.
const joinSlack = 5 * time.Second

// limit bounds a request.
func (m *Member) limit(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(m.ctx, d)
}

func (m *Member) findCoordinator(a findCoordinator) {
	ctx, cancel := m.limit(m.options.RequestTimeout)
	defer cancel()
	addr, err := m.options.Cluster.Coordinator(ctx, m.options.Group)
	err = security.Explain(err, m.options.TLS)
	m.post(found{seq: a.seq, addr: addr, err: err, denied: security.Denied(err)})
}

func (m *Member) sendJoin(a sendJoin) {
	ctx, cancel := m.limit(m.options.RebalanceTimeout + joinSlack)
	defer cancel()
	p, err := conn.Call(ctx, m.options.Coordinator, conn.Joins, func(c conn.Conn) (*sarama.JoinGroupResponse, error) {
		return c.JoinGroup(m.joinRequest(a))
	})
	if err != nil {
		m.post(joined{seq: a.seq, err: err, timedOut: ctx.Err() != nil && m.ctx.Err() == nil})
		return
	}
	e := joined{
		seq: a.seq, err: conn.AsError(p.Err), member: p.MemberId, generation: p.GenerationId,
		protocol: p.GroupProtocol, leader: p.LeaderId,
	}
	if e.err == nil && p.LeaderId == p.MemberId {
		e.members, e.err = p.GetMembers() // fails for all if one member's metadata cannot be decoded
	}
	m.post(e)
}

func (m *Member) joinRequest(a sendJoin) *sarama.JoinGroupRequest {
	q := sarama.NewJoinGroupRequest(m.options.Version)
	q.GroupId, q.MemberId, q.GroupInstanceId, q.ProtocolType = m.options.Group, a.member, m.instance(), protocolType
	q.SessionTimeout = int32(m.options.SessionTimeout.Milliseconds())
	q.RebalanceTimeout = int32(m.options.RebalanceTimeout.Milliseconds())
	if a.reason != "" { // KIP-800
		q.Reason = &a.reason
	}
	m.balance.subscribe(q, m.options.Topics, a.owned, a.generation)
	return q
}

// protocolType is that of consumer groups.
const protocolType = "consumer"

func (m *Member) makePlan(a makePlan) {
	members, _ := a.members.(map[string]sarama.ConsumerGroupMemberMetadata)
	ctx, cancel := m.limit(2 * m.options.RequestTimeout)
	defer cancel()
	partitions, err := m.partitions(ctx, topicsOf(members)) // anew each time: a topic may have grown
	if err != nil {
		m.post(planned{seq: a.seq, err: err})
		return
	}
	m.watching.Store(&partitions)
	plan, err := m.balance.plan(a.protocol, a.generation, members, partitions)
	if err != nil {
		m.post(planned{seq: a.seq, err: err})
		return
	}
	m.post(planned{seq: a.seq, plan: plan})
}

func (m *Member) sendSync(a sendSync) {
	typ := protocolType
	q := &sarama.SyncGroupRequest{}
	if plan, ok := a.plan.(*sarama.SyncGroupRequest); ok && plan != nil {
		q.GroupAssignments = plan.GroupAssignments
	}
	q.Version, q.GroupId, q.MemberId, q.GenerationId, q.GroupInstanceId = 5, m.options.Group, a.member, a.generation, m.instance()
	q.ProtocolType, q.ProtocolName = &typ, &a.protocol // KIP-559
	ctx, cancel := m.limit(m.options.RebalanceTimeout + joinSlack)
	defer cancel()
	sent := m.clock.now()
	p, err := conn.Call(ctx, m.options.Coordinator, conn.Joins, func(c conn.Conn) (*sarama.SyncGroupResponse, error) {
		return c.SyncGroup(q)
	})
	e := synced{seq: a.seq, sent: sent, err: err}
	if err == nil {
		e.err = conn.AsError(p.Err)
	}
	if e.err == nil && len(p.MemberAssignment) > 0 {
		e.assigned, e.err = m.balance.assigned(a.protocol, a.generation, p)
	}
	m.post(e)
}

func (m *Member) sendHeartbeat(a sendHeartbeat) {
	q := &sarama.HeartbeatRequest{
		Version: 4, GroupId: m.options.Group, MemberId: a.member, GenerationId: a.generation, GroupInstanceId: m.instance(),
	}
	ctx, cancel := m.limit(m.options.RequestTimeout)
	defer cancel()
	sent := m.clock.now()
	p, err := conn.Call(ctx, m.options.Coordinator, conn.Heartbeats, func(c conn.Conn) (*sarama.HeartbeatResponse, error) {
		return c.Heartbeat(q)
	})
	if err == nil {
		err = conn.AsError(p.Err)
	}
	m.post(beaten{seq: a.seq, sent: sent, err: err})
}

func (m *Member) sendLeave(a sendLeave) {
	reason := "the consumer stops"
	q := &sarama.LeaveGroupRequest{Version: 5, GroupId: m.options.Group, MemberId: a.member, Members: []sarama.MemberIdentity{
		{MemberId: a.member, GroupInstanceId: m.instance(), Reason: &reason},
	}}
	ctx, cancel := m.limit(m.options.RequestTimeout)
	defer cancel()
	p, err := conn.Call(ctx, m.options.Coordinator, conn.Heartbeats, func(c conn.Conn) (*sarama.LeaveGroupResponse, error) {
		return c.LeaveGroup(q)
	})
	if err == nil {
		err = conn.AsError(p.Err)
	}
	m.post(left{seq: a.seq, err: err})
}

func (m *Member) instance() *string {
	if m.options.InstanceID == "" {
		return nil
	}
	return &m.options.InstanceID
}
