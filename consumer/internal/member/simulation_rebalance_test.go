package member

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/IBM/sarama"
)

func (h *hub) join(c *call, q joinRequest) {
	c.p.astray = 0
	if q.member == "" && q.instance != "" {
		h.comes(c, q)
		return
	}
	if q.member == "" { // KIP-394
		h.names++
		id := fmt.Sprintf("m%02d", h.names)
		h.pending[id] = h.s.after(h.s.rules.session, func() {
			delete(h.pending, id)
			h.tryComplete()
		})
		c.answer(reply{code: sarama.ErrMemberIdRequired, body: joinReply{member: id}})
		return
	}
	m, k := h.named(q.member, q.instance)
	switch t := h.pending[q.member]; {
	case t != nil:
		t.cancel()
		delete(h.pending, q.member)
		m = &seat{id: q.member, asked: q, joining: c}
		h.seats[q.member] = m
		h.touch(m)
		h.prepare()
		return
	case m == nil:
		c.answer(reply{code: k, body: joinReply{member: q.member}})
		return
	}
	same := m.asked.generation == q.generation && slices.Equal(m.asked.owned, q.owned) // the metadata
	m.asked = q
	h.touch(m)
	h.answerJoin(m, reply{code: sarama.ErrUnknownMemberId}) // an earlier one of this member: nobody listens
	m.joining = c
	switch {
	case h.state == groupPreparing:
		h.tryComplete()
	case h.state == groupStable && (!same || m.id == h.leader), h.state == groupCompleting && !same, h.state == groupEmpty:
		h.prepare()
	default: // nothing changes: the generation of now
		h.answerJoin(m, h.joined(m))
	}
}

// prepare begins a rebalance: everybody must join again.
func (h *hub) prepare() {
	for _, m := range h.ordered() {
		h.answerSync(m, reply{code: sarama.ErrRebalanceInProgress})
	}
	if h.state != groupPreparing {
		h.s.notef("the group rebalances after generation %d", h.generation)
		h.state = groupPreparing
		h.deadline.cancel()
		h.deadline = h.s.after(h.s.rules.rebalance, func() {
			for _, m := range h.ordered() {
				if m.joining == nil && m.asked.instance == "" {
					h.s.notef("%s has not joined", m.id)
					h.forget(m)
				}
			}
			h.complete()
		})
	}
	h.tryComplete()
}

func (h *hub) tryComplete() {
	if h.state != groupPreparing || len(h.pending) > 0 {
		return
	}
	for _, m := range h.seats {
		if m.joining == nil {
			return
		}
	}
	h.complete()
}

// complete makes the next generation of those who have joined.
func (h *hub) complete() {
	h.generation++
	h.deadline.cancel()
	if len(h.seats) == 0 {
		h.state, h.leader = groupEmpty, ""
		h.write()
		return
	}
	h.state = groupCompleting
	if l := h.seats[h.leader]; l == nil || l.joining == nil {
		all := h.ordered()
		h.leader = all[max(0, slices.IndexFunc(all, func(m *seat) bool { return m.joining != nil }))].id
	}
	for _, m := range h.ordered() {
		m.synced = false
		h.answerJoin(m, h.joined(m))
		h.touch(m)
	}
	h.deadline = h.s.after(h.s.rules.rebalance, func() { // who does not sync is forgotten, too
		late := false
		for _, m := range h.ordered() {
			if !m.synced {
				late = true
				h.forget(m)
			}
		}
		if late {
			h.prepare()
		}
	})
}

func (h *hub) joined(m *seat) reply {
	r := joinReply{member: m.id, leader: h.leader, generation: h.generation}
	if m.id == h.leader {
		for _, o := range h.ordered() {
			r.seats = append(r.seats, seat{id: o.id, asked: o.asked})
		}
	}
	return reply{body: r}
}

func (h *hub) sync(c *call, q syncRequest) {
	m, k := h.known(q.member, q.instance, q.generation)
	switch {
	case m == nil:
		c.answer(reply{code: k})
		return
	case h.state == groupPreparing:
		c.answer(reply{code: sarama.ErrRebalanceInProgress})
		return
	}
	h.touch(m)
	m.synced = true
	h.answerSync(m, reply{code: sarama.ErrUnknownMemberId})
	m.syncing = c
	if h.state == groupCompleting && m.id == h.leader {
		for _, o := range h.ordered() {
			o.share = q.shares[o.id]
		}
		h.state = groupStable
		h.write()
	}
	if h.state == groupStable {
		for _, o := range h.ordered() {
			if o.syncing != nil {
				h.answerSync(o, reply{body: o.share})
				h.touch(o)
			}
		}
	}
}

// remove takes a member out, and waits for the others if there was a generation with it.
func (h *hub) remove(m *seat) {
	h.forget(m)
	switch h.state {
	case groupStable, groupCompleting:
		h.prepare()
	case groupPreparing:
		h.tryComplete()
	case groupEmpty:
	}
}

func (h *hub) forget(m *seat) {
	delete(h.seats, m.id)
	if i := m.asked.instance; h.static[i] == m.id {
		delete(h.static, i)
	}
	m.session.cancel()
	h.answerJoin(m, reply{code: sarama.ErrUnknownMemberId})
	h.answerSync(m, reply{code: sarama.ErrUnknownMemberId})
	if h.leader == m.id {
		h.leader = ""
	}
}

func (h *hub) answerJoin(m *seat, r reply) {
	if c := m.joining; c != nil {
		m.joining = nil
		c.answer(r)
	}
}

func (h *hub) answerSync(m *seat, r reply) {
	if c := m.syncing; c != nil {
		m.syncing = nil
		c.answer(r)
	}
}

// divide is the leader's plan. In a cooperative group a partition stays where it is as long as the balance allows, and
// who is to get what another member claims gets it in the next generation only: that is withheld. An eager group begins from nothing, and
// goes round, so that as much as possible changes hands.
func divide(seats []seat, partitions int, cooperative bool, generation int32) (shares map[string][]tp, withheld bool) {
	shares = map[string][]tp{}
	if !cooperative {
		for p := range int32(partitions) {
			id := seats[(int(p)+int(generation))%len(seats)].id
			shares[id] = append(shares[id], tp{"t", p})
		}
		return shares, false
	}
	type holder struct {
		id         string
		generation int32
	}
	held := map[tp]holder{}
	for _, m := range seats {
		for _, p := range m.asked.owned { // of two who claim it, the one that knows more has it (KIP-792)
			if h, ok := held[p]; !ok || m.asked.generation > h.generation {
				held[p] = holder{m.id, m.asked.generation}
			}
		}
	}
	load, few, more := map[string]int{}, partitions/len(seats), partitions%len(seats)
	var free []tp
	for p := range int32(partitions) {
		h, ok := held[tp{"t", p}]
		if ok && (load[h.id] < few || load[h.id] == few && more > 0) {
			if load[h.id]++; load[h.id] > few {
				more--
			}
			shares[h.id] = append(shares[h.id], tp{"t", p})
		} else {
			free = append(free, tp{"t", p})
		}
	}
	for _, p := range free {
		m := slices.MinFunc(seats, func(a, b seat) int { return cmp.Compare(load[a.id], load[b.id]) })
		load[m.id]++
		if _, claimed := held[p]; !claimed {
			shares[m.id] = append(shares[m.id], p)
		} else {
			withheld = true
		}
	}
	return shares, withheld
}
