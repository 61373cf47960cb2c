package member

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// groupState is what Kafka calls the group's state.
type groupState int

const (
	groupEmpty      groupState = iota
	groupPreparing             // waits for all joins
	groupCompleting            // waits for the leader's sync
	groupStable
)

// hub is the group on its coordinator. Like the real one, it compares a commit's member and generation, and never asks
// who owns the partition.
type hub struct {
	s      *sim
	broker int           // that is the coordinator
	away   time.Duration // it answers nothing before this time
	names  int           // ids that were given

	state      groupState
	generation int32
	leader     string
	seats      map[string]*seat
	static     map[string]string       // instance id: the member id of now
	pending    map[string]*appointment // ids that were given and have not joined: they are waited for
	deadline   *appointment
	record     groupRecord

	committed map[int32]actors.Progress
}

// seat is a member, as the coordinator knows it.
type seat struct {
	id      string
	asked   joinRequest // the last one
	joining *call
	syncing *call
	synced  bool
	share   []tp
	session *appointment
	by      *proc // a static member
}

// groupRecord is what the next coordinator reads: the last generation that got its assignment.
type groupRecord struct {
	generation int32
	leader     string
	seats      []seat
}

type (
	joinRequest struct {
		member     string
		instance   string
		generation int32
		owned      []tp
	}
	joinReply struct {
		member, leader string
		generation     int32
		seats          []seat // for the leader
	}
	syncRequest struct {
		member     string
		instance   string
		generation int32
		shares     map[string][]tp // nil: a follower's
	}
	memberRequest struct { // a heartbeat, or a leave
		member     string
		instance   string
		generation int32
	}
	commitRequest struct {
		who  conn.Identity
		list []offer
	}
	readRequest struct{ partition int32 }
)

func newHub(s *sim) *hub {
	return &hub{
		s: s, seats: map[string]*seat{}, static: map[string]string{}, pending: map[string]*appointment{},
		committed: map[int32]actors.Progress{},
	}
}

func (h *hub) addr() string { return fmt.Sprint("b", h.broker) }

// take carries a request out. It is answered now or later.
func (h *hub) take(c *call) {
	if c.api == apiFind {
		c.answer(reply{body: h.addr()})
		return
	}
	switch {
	case c.w.addr != h.addr():
		c.answer(reply{code: sarama.ErrNotCoordinatorForConsumer})
		return
	case h.s.now < h.away:
		return // nobody is there
	}
	switch q := c.body.(type) {
	case joinRequest:
		h.join(c, q)
	case syncRequest:
		h.sync(c, q)
	case memberRequest:
		if c.api == apiLeave {
			c.answer(reply{code: h.leave(q)})
		} else {
			c.answer(reply{code: h.beat(q)})
		}
	case commitRequest:
		c.answer(reply{code: h.commit(c, q)})
	case readRequest:
		c.answer(reply{body: h.committed[q.partition]}) // nothing: begin at 0
	}
}

// named is the member of an id; a static member's is compared with that of its instance.
func (h *hub) named(id, instance string) (*seat, sarama.KError) {
	if now := h.static[instance]; now != "" && id != now {
		return nil, sarama.ErrFencedInstancedId
	}
	if m := h.seats[id]; m != nil {
		return m, sarama.ErrNoError
	}
	return nil, sarama.ErrUnknownMemberId
}

func (h *hub) known(id, instance string, generation int32) (*seat, sarama.KError) {
	m, k := h.named(id, instance)
	if m != nil && generation != h.generation {
		return nil, sarama.ErrIllegalGeneration
	}
	return m, k
}

// touch sets the session's timer anew. A member that waits for a join or a sync is alive.
func (h *hub) touch(m *seat) {
	m.session.cancel()
	m.session = h.s.after(h.s.rules.session, func() {
		if h.seats[m.id] == m && m.joining == nil && m.syncing == nil {
			h.s.notef("the session of %s is over", m.id)
			h.remove(m)
		}
	})
}

func (h *hub) beat(q memberRequest) sarama.KError {
	m, k := h.known(q.member, q.instance, q.generation)
	if m == nil {
		return k
	}
	h.touch(m)
	if h.state == groupPreparing {
		return sarama.ErrRebalanceInProgress
	}
	return k
}

func (h *hub) leave(q memberRequest) sarama.KError {
	if t := h.pending[q.member]; t != nil {
		t.cancel()
		delete(h.pending, q.member)
		h.tryComplete()
		return sarama.ErrNoError
	}
	m, k := h.named(q.member, q.instance)
	if m == nil {
		return k
	}
	h.s.notef("%s leaves", q.member)
	h.remove(m)
	return sarama.ErrNoError
}

func (h *hub) commit(c *call, q commitRequest) sarama.KError {
	m, k := h.known(q.who.Member, q.who.Instance, q.who.Generation)
	switch {
	case m == nil:
		return k
	case h.state == groupCompleting:
		return sarama.ErrRebalanceInProgress
	}
	h.touch(m)
	for _, o := range q.list {
		h.s.ledger.commits(c, o)
		h.committed[o.k.partition] = o.Progress
	}
	return k
}

// resign has another broker take over, which knows no more than the record. Who waits is not answered: its connection
// ends with the broker.
func (h *hub) resign() {
	for _, m := range h.ordered() {
		m.session.cancel()
		h.answerJoin(m, reply{code: sarama.ErrNotCoordinatorForConsumer})
		h.answerSync(m, reply{code: sarama.ErrNotCoordinatorForConsumer})
	}
	for _, t := range h.pending {
		t.cancel()
	}
	h.deadline.cancel()
	h.broker = (h.broker + 1) % 3
	h.state, h.seats, h.static, h.pending = groupEmpty, map[string]*seat{}, map[string]string{}, map[string]*appointment{}
	h.generation, h.leader = h.record.generation, h.record.leader
	for _, m := range h.record.seats {
		h.state = groupStable
		h.seats[m.id] = &m
		if i := m.asked.instance; i != "" {
			h.static[i] = m.id
		}
		h.touch(&m)
	}
}

// write makes the record.
func (h *hub) write() {
	h.record = groupRecord{generation: h.generation, leader: h.leader}
	for _, m := range h.ordered() {
		h.record.seats = append(h.record.seats, seat{id: m.id, asked: m.asked, share: m.share, synced: true, by: m.by})
	}
}

func (h *hub) ordered() (all []*seat) {
	for _, id := range slices.Sorted(maps.Keys(h.seats)) {
		all = append(all, h.seats[id])
	}
	return all
}
