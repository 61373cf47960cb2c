package member

import "github.com/IBM/sarama"

// mayLeave: everything is given up. Not while a sync waits: in kfake such a leave makes every later rebalance of
// the group wait for the rebalance timeout, and Kafka does not mind the wait.
func (m *machine) mayLeave() bool {
	return m.stopping && len(m.owned) == 0 && m.coordinator != "" &&
		(m.phase == unjoined || m.phase == joining && !m.unnamed() || m.phase == stable)
}

// unnamed: the join that is out asks for an id. The broker has given one, perhaps, and makes the next rebalance wait
// for whoever it belongs to, a session long; so its answer, which comes at once, is waited for, and left with.
func (m *machine) unnamed() bool { return m.phase == joining && m.memberID == "" && m.instance == "" }

// tryLeave leaves the group, or ends where there is nothing to leave. An unanswered leave is repeated: a member
// that goes without it is waited for by the whole group, for a session timeout or more.
func (m *machine) tryLeave(now instant) bool {
	if m.stopping && len(m.owned) == 0 && m.phase != leaving && m.nothingToLeave() {
		m.finish()
		return true
	}
	if !m.mayLeave() || !now.reached(m.retryAt) {
		return false
	}
	m.phase, m.leave, m.request, m.beat = leaving, m.id(), 0, 0
	id := m.memberID
	m.identify(id, -1)
	m.emit(sendLeave{m.leave, id})
	return true
}

// nothingToLeave: a static member stays in the group for its session, so that its successor finds its place;
// who has never joined is not in it.
func (m *machine) nothingToLeave() bool {
	if m.instance != "" {
		return !m.leaveStatic || !m.met
	}
	return m.memberID == "" && !m.unnamed()
}

func (m *machine) onLeft(now instant, err error) {
	switch k := code(err); {
	case err == nil, forgotten(k), k == sarama.ErrFencedInstancedId: // we are not in it
		m.finish()
	case fatal(k):
		m.ruin(err)
	default:
		m.phase = unjoined
		m.refused(now, err)
	}
}
