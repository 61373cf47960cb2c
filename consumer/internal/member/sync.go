package member

import (
	"errors"

	"github.com/IBM/sarama"
)

func (m *machine) onPlanned(now instant, e planned) {
	if m.request = 0; e.err != nil { // the plan needs metadata that nobody could give: start over
		m.phase = unjoined
		m.strike(now, e.err)
		return
	}
	if m.withheld = e.withheld; !m.withheld {
		m.asked = 0
	}
	m.sync(e.plan)
}

func (m *machine) sync(plan any) {
	m.phase, m.request = syncing, m.id()
	m.emit(sendSync{m.request, m.memberID, m.generation, m.protocol, plan})
}

func (m *machine) onSynced(now instant, e synced) {
	m.request, m.phase = 0, unjoined
	switch {
	case code(e.err) == sarama.ErrRebalanceInProgress: // the next rebalance is on: join it
		m.tardy(now, e.err)
		return
	case e.err != nil:
		m.failed(now, e.err)
		return
	}
	m.fledgling = false // the coordinator has written it down
	m.renew(e.sent)
	m.keep(e.sent)
	if m.lastOK.after(m.freshAt) { // a heartbeat of this generation, which was not waiting for our sync: it had it
		m.keep(m.lastOK)
	}
	if now.reached(m.leased()) { // an answer from the past: we slept, and somebody else may have all of it
		m.tardy(now, ErrLease)
		return
	}
	m.praise()
	m.calm()
	m.phase, m.lastOK, m.seated = stable, e.sent, true
	if m.freshAt = now; m.beat == 0 && m.beatAt.after(now.add(fresh)) {
		m.beatAt = now.add(fresh)
	}
	m.remind(now)
	m.emit(member{m.memberID, m.generation})

	m.target = map[tp]bool{}
	for _, p := range e.assigned {
		m.target[p] = true
	}
	gone := m.ours(func(p tp, c *claim) bool { return !m.target[p] && c.kept() })
	m.revoke(gone, now.add(m.rebalance-m.reserve()), now.add(m.rebalance))

	if m.ghost && m.healed != m.generation && !m.stopping {
		if m.cooperative { // an eager member would have to give up at once what it takes
			m.settle(now)
		}
		m.phase, m.reason, m.healed = unjoined, "the leader is back and must watch the topics", m.generation
	}
}

// failed is a join or sync that was answered with an error, or not at all. An error that is not particular to the
// group protocol (UNKNOWN_SERVER_ERROR, an assignment that cannot be read) does not say that another broker is the
// coordinator: that it is asked for anew would only cut heartbeats and commits as well.
func (m *machine) failed(now instant, err error) {
	m.strike(now, err)
	var ours unusable
	switch k := code(err); {
	case errors.As(err, &ours):
	case k == sarama.ErrNoError, moved(k), forgotten(k), fatal(k), k == sarama.ErrIllegalGeneration, k == sarama.ErrOffsetsLoadInProgress:
		m.refused(now, err)
	}
}

// settle: stable. Take what is assigned and not held, and join again once everything that the last join claimed
// and the assignment took away has been given up: the leader keeps it from its next owner until then.
func (m *machine) settle(now instant) {
	if now.reached(m.leased()) { // nothing is ours before the next heartbeat is answered well
		return
	}
	var added []tp
	for p := range m.target {
		if m.owned[p] == nil {
			m.owned[p] = &claim{}
			added = append(added, p)
		}
	}
	if len(added) > 0 {
		m.emit(assign{sorted(added)})
	}
	freed := false
	for _, p := range m.claimed {
		if m.target[p] {
			continue
		}
		if m.owned[p] != nil {
			return
		}
		freed = true
	}
	if freed {
		m.phase, m.reason = unjoined, "partitions were given up for other members"
	}
}
