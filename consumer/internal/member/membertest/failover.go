package membertest

import (
	"time"

	"github.com/IBM/sarama"
)

// record is what the log of __consumer_offsets says of the group: the last generation that got its assignment (Kafka:
// GroupMetadataManager.storeGroup). A rebalance that is under way is not in it.
type record struct {
	generation int32
	protocol   string
	leader     string
	members    []groupMember
}

// write makes the record.
func (g *group) write() {
	g.record = record{generation: g.generation, protocol: g.protocol, leader: g.leader}
	for _, m := range g.members {
		g.record.members = append(g.record.members, groupMember{id: m.id, join: m.join, assignment: m.assignment, synced: true})
	}
}

// resign has another broker take over, which knows no more than the record: who waits is answered NOT_COORDINATOR; a
// rebalance that was under way, ids that were given, and members that had joined in it are forgotten; who has left
// in it is there again, until its session ends; sessions begin anew.
func (g *group) resign() {
	for _, m := range g.members {
		m.answerJoin(&sarama.JoinGroupResponse{Err: sarama.ErrNotCoordinatorForConsumer})
		m.answerSync(&sarama.SyncGroupResponse{Err: sarama.ErrNotCoordinatorForConsumer})
		m.session.Stop()
	}
	for _, t := range g.pending {
		t.Stop()
	}
	if g.deadline != nil {
		g.deadline.Stop()
		g.deadline = nil
	}
	g.state, g.members, g.static, g.pending = empty, map[string]*groupMember{}, map[string]string{}, map[string]*time.Timer{}
	g.generation, g.protocol, g.leader = g.record.generation, g.record.protocol, g.record.leader
	for _, m := range g.record.members {
		g.state = stable
		g.members[m.id] = &m
		if i := m.join.GroupInstanceId; i != nil {
			g.static[*i] = m.id
		}
		g.touch(&m)
	}
}
