package tmpmember

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

type Options struct {
	Group, InstanceID             string
	Topics                        []string
	Strategies                    []sarama.BalanceStrategy
	Cooperative                   bool
	Session, Rebalance, Heartbeat time.Duration
	Version                       sarama.KafkaVersion
	Cluster                       *conn.Cluster
	Coordinator                   *conn.Coordinator
	Inbox                         supervisor.Inbox
}

type Member struct {
	o       Options
	m       *machine
	clock   clock
	events  chan event
	done    chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	started atomic.Bool

	plans    sync.Mutex
	userData map[string][]byte
	watch    map[string]int
	claims   map[tp]messages.Claim
	err      error
}

var sequence atomic.Uint64

func New(o Options) *Member {
	r := &Member{o: o, clock: newClock(), events: make(chan event, 256), done: make(chan struct{}), userData: map[string][]byte{}, claims: map[tp]messages.Claim{}}
	r.m = newMachine(rules{instance: o.InstanceID, cooperative: o.Cooperative, session: o.Session, rebalance: o.Rebalance, heartbeat: o.Heartbeat, backoff: 50 * time.Millisecond})
	r.ctx, r.cancel = context.WithCancel(context.Background())
	o.Coordinator.OnReport(func(id conn.Identity, err error) {
		go r.post(told{id.Member, id.Generation, err})
	})
	return r
}

func (r *Member) post(e event) {
	select {
	case r.events <- e:
	case <-r.done:
	}
}

func (r *Member) Start() { r.started.Store(true); go r.loop() }
func (r *Member) Released(claims []messages.Claim) {
	var tps []tp
	for _, c := range claims {
		tps = append(tps, tp{c.Topic, c.Partition})
	}
	go r.post(released{tps})
}
func (r *Member) Leave(ctx context.Context) error {
	r.post(stop{})
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
func (r *Member) Close() {
	if !r.started.Load() {
		return
	}
	r.post(cut{})
	r.cancel()
	<-r.done
	r.wg.Wait()
	r.o.Coordinator.Move("")
}

func (r *Member) loop() {
	defer close(r.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	look := time.NewTicker(5 * time.Second)
	defer look.Stop()
	var ev event = start{}
	for {
		now := r.clock.now()
		for _, a := range r.m.step(now, ev) {
			if !r.do(now, a) {
				return
			}
		}
		if t := r.m.next(); !t.never() {
			timer.Reset(max(0, r.clock.now().until(t)))
		} else {
			timer.Stop()
		}
		select {
		case ev = <-r.events:
		case <-timer.C:
			ev = tick{}
		case <-look.C:
			ev = tick{}
			r.plans.Lock()
			seen := maps.Clone(r.watch)
			r.plans.Unlock()
			if seen != nil {
				r.wg.Go(func() {
					ctx, c := context.WithTimeout(r.ctx, 10*time.Second)
					defer c()
					now, err := r.partitions(ctx, slices.Sorted(maps.Keys(seen)))
					if err == nil && !maps.Equal(now, seen) {
						r.post(rejoin{"the partitions of a subscribed topic changed"})
					}
				})
			}
		}
	}
}

func ids(m map[tp]messages.Claim, tps []tp) (out []messages.Claim) {
	for _, t := range tps {
		if c, ok := m[t]; ok {
			out = append(out, c)
		}
	}
	return
}

func (r *Member) do(now instant, a action) bool {
	switch a := a.(type) {
	case findCoordinator:
		r.wg.Go(func() {
			ctx, c := context.WithTimeout(r.ctx, 5*time.Second)
			defer c()
			addr, err := r.o.Cluster.Coordinator(ctx, r.o.Group)
			r.post(found{seq: a.seq, addr: addr, err: err})
		})
	case useCoordinator:
		r.o.Coordinator.Move(a.addr)
	case sendJoin:
		r.wg.Go(func() { r.join(a) })
	case makePlan:
		r.wg.Go(func() {
			plan, err := r.plan(a)
			r.post(planned{a.seq, err, plan})
		})
	case sendSync:
		r.wg.Go(func() { r.sync(a) })
	case sendHeartbeat:
		r.wg.Go(func() {
			q := &sarama.HeartbeatRequest{Version: 4, GroupId: r.o.Group, MemberId: a.member, GenerationId: a.generation, GroupInstanceId: r.instance()}
			sent := r.clock.now()
			ctx, c := context.WithTimeout(r.ctx, 2*time.Second)
			defer c()
			p, err := conn.Call(ctx, r.o.Coordinator, conn.Heartbeats, func(c conn.Conn) (*sarama.HeartbeatResponse, error) { return c.Heartbeat(q) })
			if err == nil {
				err = conn.AsError(p.Err)
			}
			r.post(beaten{a.seq, sent, err})
		})
	case sendLeave:
		r.wg.Go(func() {
			q := &sarama.LeaveGroupRequest{Version: 5, GroupId: r.o.Group, Members: []sarama.MemberIdentity{{MemberId: a.member, GroupInstanceId: r.instance()}}}
			ctx, c := context.WithTimeout(r.ctx, 2*time.Second)
			defer c()
			p, err := conn.Call(ctx, r.o.Coordinator, conn.Heartbeats, func(c conn.Conn) (*sarama.LeaveGroupResponse, error) { return c.LeaveGroup(q) })
			if err == nil {
				err = conn.AsError(p.Err)
			}
			r.post(left{a.seq, err})
		})
	case identify:
		r.o.Coordinator.Become(a.member, a.generation)
	case member:
		r.o.Inbox.Joined(a.id, a.generation)
	case assign:
		id := r.o.Coordinator.Identity()
		for _, t := range a.tps {
			r.claims[t] = messages.Claim{Group: r.o.Group, Member: id.Member, Topic: t.topic, Partition: t.partition, Generation: id.Generation, Sequence: sequence.Add(1)}
		}
		r.o.Inbox.Assigned(ids(r.claims, a.tps))
	case revoke:
		r.o.Inbox.Revoked(ids(r.claims, a.tps), time.Now().Add(now.until(a.by)))
	case lose:
		r.o.Inbox.Lost(ids(r.claims, a.tps), a.err)
	case watch:
		if !a.on {
			r.plans.Lock()
			r.watch = nil
			r.plans.Unlock()
		}
	case notice:
		r.o.Inbox.Notice(a.err)
	case fail:
		r.err = a.err
		r.o.Inbox.Ended(a.err)
		return false
	case end:
		return false
	}
	return true
}

func (r *Member) instance() *string {
	if r.o.InstanceID == "" {
		return nil
	}
	return &r.o.InstanceID
}

func (r *Member) join(a sendJoin) {
	q := sarama.NewJoinGroupRequest(r.o.Version)
	q.GroupId, q.MemberId, q.GroupInstanceId, q.ProtocolType = r.o.Group, a.member, r.instance(), "consumer"
	q.SessionTimeout, q.RebalanceTimeout = int32(r.o.Session.Milliseconds()), int32(r.o.Rebalance.Milliseconds())
	if a.reason != "" {
		q.Reason = &a.reason
	}
	owned := map[string][]int32{}
	for _, t := range a.owned {
		owned[t.topic] = append(owned[t.topic], t.partition)
	}
	r.plans.Lock()
	for _, s := range r.o.Strategies {
		md := &sarama.ConsumerGroupMemberMetadata{Version: 2, Topics: r.o.Topics, GenerationID: a.generation, UserData: r.userData[s.Name()]}
		for _, t := range slices.Sorted(maps.Keys(owned)) {
			md.OwnedPartitions = append(md.OwnedPartitions, &sarama.OwnedPartition{Topic: t, Partitions: owned[t]})
		}
		if u, ok := s.(sarama.SubscriptionUserDataBalanceStrategy); ok {
			md.UserData, _ = u.SubscriptionUserData(slices.Clone(r.o.Topics))
		}
		q.AddGroupProtocolMetadata(s.Name(), md)
	}
	r.plans.Unlock()
	ctx, c := context.WithTimeout(r.ctx, r.o.Rebalance+5*time.Second)
	defer c()
	p, err := conn.Call(ctx, r.o.Coordinator, conn.Joins, func(c conn.Conn) (*sarama.JoinGroupResponse, error) { return c.JoinGroup(q) })
	if err != nil {
		r.post(joined{seq: a.seq, err: err, timedOut: ctx.Err() != nil})
		return
	}
	e := joined{seq: a.seq, err: conn.AsError(p.Err), member: p.MemberId, generation: p.GenerationId, protocol: p.GroupProtocol, leader: p.LeaderId}
	if e.err == nil && p.LeaderId == p.MemberId {
		e.members, e.err = p.GetMembers()
	}
	r.post(e)
}

func (r *Member) partitions(ctx context.Context, topics []string) (map[string]int, error) {
	md, err := r.o.Cluster.Topics(ctx, topics...)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, t := range topics {
		out[t] = len(md.Topics[t].Partitions)
	}
	return out, nil
}

func (r *Member) plan(a makePlan) (*sarama.SyncGroupRequest, error) {
	members := a.members.(map[string]sarama.ConsumerGroupMemberMetadata)
	topics := map[string]int{}
	for _, m := range members {
		for _, t := range m.Topics {
			topics[t] = 0
		}
	}
	ctx, c := context.WithTimeout(r.ctx, 10*time.Second)
	defer c()
	parts, err := r.partitions(ctx, slices.Sorted(maps.Keys(topics)))
	if err != nil {
		return nil, err
	}
	have := map[string][]int32{}
	for t, n := range parts {
		for p := range n {
			have[t] = append(have[t], int32(p))
		}
	}
	r.plans.Lock()
	defer r.plans.Unlock()
	r.watch = parts
	q := &sarama.SyncGroupRequest{}
	for _, s := range r.o.Strategies {
		if s.Name() != a.protocol {
			continue
		}
		plan := sarama.BalanceStrategyPlan{}
		if len(have) > 0 {
			if plan, err = s.Plan(members, have); err != nil {
				return nil, err
			}
		}
		for id := range members {
			u, err := s.AssignmentData(id, plan[id], a.generation)
			if err != nil {
				return nil, err
			}
			if err := q.AddGroupAssignmentMember(id, &sarama.ConsumerGroupMemberAssignment{Topics: plan[id], UserData: u}); err != nil {
				return nil, err
			}
		}
		return q, nil
	}
	return nil, errors.New("unknown protocol")
}

func (r *Member) sync(a sendSync) {
	q, typ := &sarama.SyncGroupRequest{}, "consumer"
	if p, ok := a.plan.(*sarama.SyncGroupRequest); ok && p != nil {
		q = p
	}
	q.Version, q.GroupId, q.MemberId, q.GenerationId, q.GroupInstanceId = 5, r.o.Group, a.member, a.generation, r.instance()
	q.ProtocolType, q.ProtocolName = &typ, &a.protocol
	sent := r.clock.now()
	ctx, c := context.WithTimeout(r.ctx, r.o.Rebalance+5*time.Second)
	defer c()
	p, err := conn.Call(ctx, r.o.Coordinator, conn.Joins, func(c conn.Conn) (*sarama.SyncGroupResponse, error) { return c.SyncGroup(q) })
	if err == nil {
		err = conn.AsError(p.Err)
	}
	e := synced{seq: a.seq, sent: sent, err: err}
	if err == nil && len(p.MemberAssignment) > 0 {
		as, aerr := p.GetMemberAssignment()
		e.err = aerr
		if aerr == nil {
			r.plans.Lock()
			for _, s := range r.o.Strategies {
				if s.Name() == a.protocol {
					r.userData[a.protocol] = as.UserData
					if o, ok := s.(sarama.OnAssignmentBalanceStrategy); ok {
						o.OnAssignment(as, a.generation)
					}
				}
			}
			r.plans.Unlock()
			for t, ps := range as.Topics {
				for _, p := range ps {
					e.assigned = append(e.assigned, tp{t, p})
				}
			}
		}
	}
	r.post(e)
}
