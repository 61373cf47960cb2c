package member

import "github.com/IBM/sarama"

// mayLeave: everything is given up, and there is nothing to wait for first. Not while a sync waits, as long as there is
// time: in kfake such a leave makes every later rebalance of the group wait for the rebalance timeout, and Kafka does not
// mind the wait.
func (m *machine) mayLeave() bool {
	return m.stopping && len(m.owned) == 0 && m.coordinator != "" && !m.remains() &&
		(m.phase == unjoined || m.phase == joining && !m.unnamed() || m.phase == stable)
}

// mayHurry: what is waited for before the leave, or the end, is waited for until hurryAt. The answer may be long in
// coming, because of a leader that is slow with its plan, and who is gone without a leave keeps the group waiting.
func (m *machine) mayHurry() bool {
	return m.stopping && len(m.owned) == 0 && m.coordinator != "" &&
		(m.phase == planning || m.phase == syncing || m.midway())
}

// unnamed: the join that is out asks for an id. The broker has given one, perhaps, and makes the next rebalance wait
// for whoever it belongs to, a session long; so its answer, which comes at once, is waited for, and left with.
func (m *machine) unnamed() bool { return m.phase == joining && m.memberID == "" && m.instance == "" }

// remains: a static member stays in the group for its session, so that its successor finds its place.
func (m *machine) remains() bool { return m.instance != "" && !m.leaveStatic }

// midway: the group waits for a member that remains, to join, or to sync, perhaps with the plan that it makes as the
// leader. Nobody takes its place before its session is over. So it ends only after that rebalance, which gives it what
// its successor will have; but when an attempt fails, it does not go on trying.
func (m *machine) midway() bool {
	if !m.remains() || m.coordinator == "" {
		return false
	}
	switch m.phase {
	case joining, planning, syncing:
		return true
	case unjoined:
		return m.generation >= 0 && m.strikes == 0
	default:
		return false
	}
}

// tryLeave leaves the group, or ends where there is nothing to leave. An unanswered leave is repeated: a member
// that goes without it is waited for by the whole group, for a session timeout or more.
func (m *machine) tryLeave(now instant) bool {
	if !m.stopping || len(m.owned) > 0 || m.phase == leaving {
		return false
	}
	hurry := m.mayHurry() && !m.hurryAt.never() && now.reached(m.hurryAt)
	if m.nothingToLeave(hurry) {
		m.finish()
		return true
	}
	if !m.mayLeave() && !hurry || !now.reached(m.retryAt) {
		return false
	}
	m.phase, m.leave, m.request, m.beat = leaving, m.id(), 0, 0
	id := m.memberID
	m.identify(id, -1)
	m.emit(sendLeave{m.leave, id})
	return true
}

// nothingToLeave: who remains does not leave; who has never joined is not in the group.
func (m *machine) nothingToLeave(hurry bool) bool {
	switch {
	case m.remains():
		return hurry || !m.midway()
	case m.instance != "":
		return !m.met
	default:
		return m.memberID == "" && !m.unnamed()
	}
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
