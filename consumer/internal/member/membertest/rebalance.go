package membertest

import (
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

func (g *group) join(q *sarama.JoinGroupRequest) reply[*sarama.JoinGroupResponse] {
	refuse := func(k sarama.KError, id string) reply[*sarama.JoinGroupResponse] {
		return now(&sarama.JoinGroupResponse{Err: k, MemberId: id})
	}
	if len(g.members) > 0 && !g.compatible(q) {
		return refuse(sarama.ErrInconsistentGroupProtocol, q.MemberId)
	}
	switch {
	case q.GroupInstanceId != nil && q.MemberId == "":
		if old := g.members[g.static[*q.GroupInstanceId]]; old != nil {
			return g.replace(old, q)
		}
		return g.add(newID(q.GroupInstanceId), q)
	case q.MemberId == "":
		id := newID(nil)
		g.pending[id] = g.after(millis(q.SessionTimeout), func() {
			delete(g.pending, id)
			g.tryComplete()
		})
		return refuse(sarama.ErrMemberIdRequired, id)
	case g.pending[q.MemberId] != nil:
		g.pending[q.MemberId].Stop()
		delete(g.pending, q.MemberId)
		return g.add(q.MemberId, q)
	}
	m, k := g.known(q.MemberId, q.GroupInstanceId)
	if k != sarama.ErrNoError {
		return refuse(k, q.MemberId)
	}
	same := sameProtocols(m.join, q)
	m.join = q
	g.touch(m)
	r := later[*sarama.JoinGroupResponse]()
	m.answerJoin(&sarama.JoinGroupResponse{Err: sarama.ErrUnknownMemberId}) // an earlier one of this member: nobody listens
	m.joining = &r
	switch {
	case g.state == preparing:
		g.tryComplete()
	case g.state == stable && (!same || m.id == g.leader), g.state == completing && !same, g.state == empty:
		g.prepare()
	default: // nothing changes: the generation of now
		m.answerJoin(g.joined(m))
	}
	return r
}

// compatible: there is a protocol that all members know.
func (g *group) compatible(q *sarama.JoinGroupRequest) bool {
	return has(q.OrderedGroupProtocols, func(p *sarama.GroupProtocol) bool {
		for _, m := range g.members {
			if _, ok := metadata(m.join, p.Name); !ok {
				return false
			}
		}
		return true
	})
}

func (g *group) add(id string, q *sarama.JoinGroupRequest) reply[*sarama.JoinGroupResponse] {
	r := later[*sarama.JoinGroupResponse]()
	m := &groupMember{id: id, join: q, joining: &r}
	g.members[id] = m
	if q.GroupInstanceId != nil {
		g.static[*q.GroupInstanceId] = id
	}
	g.touch(m)
	g.prepare()
	return r
}

// replace puts a static member in the place of its earlier self, which is fenced from now on. In a stable group it
// gets its old assignment without a rebalance, and is told the leader of before: itself under its earlier name,
// perhaps (up to JoinGroup version 8).
func (g *group) replace(old *groupMember, q *sarama.JoinGroupRequest) reply[*sarama.JoinGroupResponse] {
	leader := g.leader
	delete(g.members, old.id)
	old.session.Stop()
	old.answerJoin(&sarama.JoinGroupResponse{Err: sarama.ErrFencedInstancedId})
	old.answerSync(&sarama.SyncGroupResponse{Err: sarama.ErrFencedInstancedId})
	r := later[*sarama.JoinGroupResponse]()
	m := &groupMember{id: newID(q.GroupInstanceId), join: q, joining: &r, assignment: old.assignment}
	g.members[m.id] = m
	g.static[*q.GroupInstanceId] = m.id
	if g.leader == old.id {
		g.leader = m.id
	}
	g.touch(m)
	if g.state == stable {
		p := g.joined(m)
		p.LeaderId, p.Members = leader, nil
		m.answerJoin(p)
		g.write()
	} else {
		g.prepare()
	}
	return r
}

// prepare begins a rebalance: everybody must join again.
func (g *group) prepare() {
	for _, m := range g.members {
		m.answerSync(&sarama.SyncGroupResponse{Err: sarama.ErrRebalanceInProgress})
	}
	if g.state != preparing {
		g.state = preparing
		var longest time.Duration
		for _, m := range g.members {
			longest = max(longest, millis(m.join.RebalanceTimeout))
		}
		g.arm(longest, func() {
			for _, m := range g.members {
				if m.joining == nil && m.join.GroupInstanceId == nil {
					g.forget(m)
				}
			}
			g.complete()
		})
	}
	g.tryComplete()
}

// arm sets the state's one deadline.
func (g *group) arm(d time.Duration, f func()) {
	if g.deadline != nil {
		g.deadline.Stop()
	}
	var t *time.Timer
	t = g.after(d, func() {
		if g.deadline == t {
			f()
		}
	})
	g.deadline = t
}

func (g *group) tryComplete() {
	if g.state != preparing || len(g.pending) > 0 {
		return
	}
	for _, m := range g.members {
		if m.joining == nil {
			return
		}
	}
	g.complete()
}

// complete makes the next generation of those who have joined, and of static members who have not.
func (g *group) complete() {
	if len(g.members) == 0 {
		g.state, g.leader, g.deadline = empty, "", nil
		g.generation++
		g.write()
		return
	}
	g.generation++
	g.state, g.protocol = completing, g.choose()
	if l := g.members[g.leader]; l == nil || l.joining == nil {
		for _, id := range slices.Sorted(maps.Keys(g.members)) {
			if g.leader = id; g.members[id].joining != nil {
				break
			}
		}
	}
	var longest time.Duration
	for _, m := range g.members {
		m.synced = false
		longest = max(longest, millis(m.join.RebalanceTimeout))
		m.answerJoin(g.joined(m))
		g.touch(m)
	}
	g.arm(longest, func() { // who does not sync is forgotten, static or not (Kafka: GroupCoordinator.onExpirePendingSync)
		late := false
		for _, m := range g.members {
			if !m.synced {
				late = true
				g.forget(m)
			}
		}
		if late {
			g.prepare()
		}
	})
}

// choose takes the first protocol of the first member that all members know.
func (g *group) choose() string {
	first := g.members[slices.Min(slices.Collect(maps.Keys(g.members)))]
	for _, p := range first.join.OrderedGroupProtocols {
		if g.compatible(&sarama.JoinGroupRequest{OrderedGroupProtocols: []*sarama.GroupProtocol{p}}) {
			return p.Name
		}
	}
	return ""
}

// joined is the answer to a join, of the generation of now.
func (g *group) joined(m *groupMember) *sarama.JoinGroupResponse {
	p := &sarama.JoinGroupResponse{GenerationId: g.generation, GroupProtocol: g.protocol, LeaderId: g.leader, MemberId: m.id}
	if m.id == g.leader {
		for _, id := range slices.Sorted(maps.Keys(g.members)) {
			o := g.members[id]
			meta, _ := metadata(o.join, g.protocol)
			p.Members = append(p.Members, sarama.GroupMember{MemberId: id, GroupInstanceId: o.join.GroupInstanceId, Metadata: meta})
		}
	}
	return p
}

func (g *group) sync(q *sarama.SyncGroupRequest) reply[*sarama.SyncGroupResponse] {
	refuse := func(k sarama.KError) reply[*sarama.SyncGroupResponse] { return now(&sarama.SyncGroupResponse{Err: k}) }
	m, k := g.known(q.MemberId, q.GroupInstanceId)
	switch {
	case k != sarama.ErrNoError:
		return refuse(k)
	case q.GenerationId != g.generation:
		return refuse(sarama.ErrIllegalGeneration)
	case g.state == preparing:
		return refuse(sarama.ErrRebalanceInProgress)
	}
	g.touch(m)
	m.synced = true
	r := later[*sarama.SyncGroupResponse]()
	m.answerSync(&sarama.SyncGroupResponse{Err: sarama.ErrUnknownMemberId}) // an earlier one: nobody listens
	m.syncing = &r
	if g.state == completing && m.id == g.leader {
		for _, o := range g.members {
			o.assignment = nil
		}
		for _, a := range q.GroupAssignments {
			if o := g.members[a.MemberId]; o != nil {
				o.assignment = a.Assignment
			}
		}
		g.state = stable
		g.write()
	}
	if g.state == stable {
		for _, o := range g.members {
			if o.syncing != nil {
				o.answerSync(&sarama.SyncGroupResponse{MemberAssignment: o.assignment})
				g.touch(o)
			}
		}
	}
	return r
}
