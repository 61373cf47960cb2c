package membertest

import (
	"bytes"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/uuid"
)

// state of the group, as Kafka names them.
type state string

const (
	empty      state = "Empty"
	preparing  state = "PreparingRebalance"  // waits for all members' joins
	completing state = "CompletingRebalance" // waits for the leader's sync
	stable     state = "Stable"
)

// group is one classic group on its coordinator. All of it happens under the cluster's lock; a member that must wait
// waits on a channel, without it.
type group struct {
	mu         *sync.Mutex
	state      state
	generation int32
	protocol   string
	leader     string
	members    map[string]*groupMember
	static     map[string]string      // instance id: the member id of now
	pending    map[string]*time.Timer // ids that were given and have not joined: they are waited for
	deadline   *time.Timer
	record     record
}

type groupMember struct {
	id         string
	join       *sarama.JoinGroupRequest // the last one
	joining    *reply[*sarama.JoinGroupResponse]
	syncing    *reply[*sarama.SyncGroupResponse]
	synced     bool
	assignment []byte
	session    *time.Timer
}

func newGroup(mu *sync.Mutex) *group {
	return &group{mu: mu, state: empty, members: map[string]*groupMember{}, static: map[string]string{}, pending: map[string]*time.Timer{}}
}

func millis(n int32) time.Duration { return time.Duration(n) * time.Millisecond }

// after runs f under the lock when d is over.
func (g *group) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		f()
	})
}

// known checks who asks.
func (g *group) known(id string, instance *string) (*groupMember, sarama.KError) {
	if instance != nil {
		switch now := g.static[*instance]; {
		case now == "":
			return nil, sarama.ErrUnknownMemberId
		case id != "" && id != now:
			return nil, sarama.ErrFencedInstancedId
		default:
			id = now
		}
	}
	m := g.members[id]
	if m == nil {
		return nil, sarama.ErrUnknownMemberId
	}
	return m, sarama.ErrNoError
}

// touch sets the session's timer anew. A member that waits for a join or a sync is alive.
func (g *group) touch(m *groupMember) {
	if m.session != nil {
		m.session.Stop()
	}
	m.session = g.after(millis(m.join.SessionTimeout), func() {
		if g.members[m.id] == m && m.joining == nil && m.syncing == nil {
			g.remove(m)
		}
	})
}

// remove forgets a member, and waits for the others if there was a generation with it.
func (g *group) remove(m *groupMember) {
	g.forget(m)
	switch g.state {
	case stable, completing:
		g.prepare()
	case preparing:
		g.tryComplete()
	case empty:
	}
}

func (g *group) forget(m *groupMember) {
	delete(g.members, m.id)
	if i := m.join.GroupInstanceId; i != nil && g.static[*i] == m.id {
		delete(g.static, *i)
	}
	m.session.Stop()
	m.answerJoin(&sarama.JoinGroupResponse{Err: sarama.ErrUnknownMemberId})
	m.answerSync(&sarama.SyncGroupResponse{Err: sarama.ErrUnknownMemberId})
	if g.leader == m.id {
		g.leader = ""
	}
}

func (m *groupMember) answerJoin(p *sarama.JoinGroupResponse) {
	if m.joining != nil {
		m.joining.ch <- p
		m.joining = nil
	}
}

func (m *groupMember) answerSync(p *sarama.SyncGroupResponse) {
	if m.syncing != nil {
		m.syncing.ch <- p
		m.syncing = nil
	}
}

func (g *group) heartbeat(id string, instance *string, generation int32) sarama.KError {
	m, k := g.known(id, instance)
	switch {
	case k != sarama.ErrNoError:
		return k
	case generation != g.generation:
		return sarama.ErrIllegalGeneration
	}
	g.touch(m)
	if g.state == preparing {
		return sarama.ErrRebalanceInProgress
	}
	return sarama.ErrNoError
}

func (g *group) commit(id string, instance *string, generation int32) sarama.KError {
	if generation < 0 && id == "" && g.state == empty {
		return sarama.ErrNoError // a client without a membership
	}
	m, k := g.known(id, instance)
	switch {
	case k != sarama.ErrNoError:
		return k
	case generation != g.generation:
		return sarama.ErrIllegalGeneration
	case g.state == completing:
		return sarama.ErrRebalanceInProgress
	}
	g.touch(m)
	return sarama.ErrNoError
}

func (g *group) leave(id sarama.MemberIdentity) sarama.KError {
	if t := g.pending[id.MemberId]; t != nil {
		t.Stop()
		delete(g.pending, id.MemberId)
		g.tryComplete()
		return sarama.ErrNoError
	}
	m, k := g.known(id.MemberId, id.GroupInstanceId)
	if k == sarama.ErrNoError {
		g.remove(m)
	}
	return k
}

// newID names a member as Kafka does: after its instance or its client, with a UUID.
func newID(instance *string) string {
	if instance != nil {
		return *instance + "-" + uuid.NewString()
	}
	return "ottla-" + uuid.NewString()
}

func sameProtocols(a, b *sarama.JoinGroupRequest) bool {
	if len(a.OrderedGroupProtocols) != len(b.OrderedGroupProtocols) {
		return false
	}
	for i, p := range a.OrderedGroupProtocols {
		q := b.OrderedGroupProtocols[i]
		if p.Name != q.Name || !bytes.Equal(p.Metadata, q.Metadata) {
			return false
		}
	}
	return true
}

func metadata(q *sarama.JoinGroupRequest, protocol string) ([]byte, bool) {
	for _, p := range q.OrderedGroupProtocols {
		if p.Name == protocol {
			return p.Metadata, true
		}
	}
	return nil, false
}
