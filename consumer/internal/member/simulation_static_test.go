package member

import (
	"fmt"

	"github.com/IBM/sarama"
)

// comes: a static member joins without an id. If the group has its earlier self, it takes that one's place (KIP-345): in a
// stable group at once, with the assignment of before.
func (h *hub) comes(c *call, q joinRequest) {
	h.names++
	m := &seat{id: fmt.Sprintf("%s-%036d", q.instance, h.names), asked: q, joining: c, by: c.p} // as long as Kafka's
	old := h.seats[h.static[q.instance]]
	leader := h.leader
	if old != nil {
		h.s.notef("%s takes the place of %s", m.id, old.id)
		m.share = old.share
		c.p.own = c.p.own || old.by == c.p && c.w.dead
		delete(h.seats, old.id)
		old.session.cancel()
		h.answerJoin(old, reply{code: sarama.ErrFencedInstancedId})
		h.answerSync(old, reply{code: sarama.ErrFencedInstancedId})
		if leader == old.id {
			h.leader = m.id
		}
	}
	h.seats[m.id], h.static[q.instance] = m, m.id
	h.touch(m)
	if old == nil || h.state != groupStable {
		h.prepare()
		return
	}
	h.answerJoin(m, reply{body: joinReply{member: m.id, leader: leader, generation: h.generation}}) // of before
	h.write()
}

// failed: the membership is over for good. That is as it should be only for one of two with the same instance id.
func (p *proc) failed(err error) {
	switch {
	case code(err) == sarama.ErrFencedInstancedId && p.rival:
		p.s.ledger.fenced++
	case code(err) == sarama.ErrFencedInstancedId && p.own:
		p.s.ledger.own++ // a join without an id was given up, and arrives when the next one has been answered: it has taken its own place
	default:
		p.s.ledger.violate("a membership has failed", "p%d: %v", p.no, err)
	}
	p.kill()
}

// shares: both have the same place in the group, by their instance id. Whose it is, the coordinator knows: the commits of
// the other are refused. The other may be told of an old assignment when it goes on after a sleep, and be taken for the
// newest owner.
func (p *proc) shares(other *proc) bool { return p.instance != "" && p.instance == other.instance }

// twice: two processes that are there have the same instance id.
func (s *sim) twice() bool {
	there := map[string]bool{}
	for _, p := range s.inOrder() {
		if !p.dead && p.instance != "" {
			if there[p.instance] {
				return true
			}
			there[p.instance] = true
		}
	}
	return false
}

// befall is a deed that befalls a static member: its successor comes after it has ended, or before.
func (a *author) befall(no int) {
	if a.numbers >= mostNumbers {
		return
	}
	if a.r.IntN(3) == 0 {
		if len(a.there) < mostProcesses {
			a.launch(a.instances[no])
		}
		return
	}
	a.end(no)
	a.launch(a.instances[no])
}
