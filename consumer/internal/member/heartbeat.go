package member

import (
	"time"

	"github.com/IBM/sarama"
)

// fresh is the time from a join to the first heartbeat after it; it doubles up to the interval. In a cooperative
// group a second rebalance follows the first, and is found at once that way.
const fresh = 50 * time.Millisecond

func (m *machine) mayBeat() bool {
	return m.coordinator != "" && m.beat == 0 && (m.generation >= 0 || m.phase == joining && !m.unnamed())
}

// tryBeat: also while a join or sync waits, and while partitions are given up.
//
// Without a generation a heartbeat is a probe. A first join rightly waits for the rebalance timeout and more, as long as
// there is somebody to answer it; a coordinator that hangs keeps its connections and says nothing, and the group, which
// has gone on to another one, would lack the newcomer for all that time.
func (m *machine) tryBeat(now instant) {
	if m.mayBeat() && now.reached(m.beatAt) {
		m.beat, m.probe = m.id(), m.generation < 0
		m.emit(sendHeartbeat{m.beat, m.memberID, m.generation})
	}
}

// onProbed: whatever a coordinator says to a heartbeat that belongs to no generation, it is there. What we are, the answer
// to the join tells, which it may also have overtaken.
func (m *machine) onProbed(now, sent instant, err error) {
	if k := code(err); err != nil && (k == sarama.ErrNoError || moved(k)) {
		m.refused(now, err)
		return
	}
	m.answered = sent
	m.beatAt = now.add(m.rules.heartbeat)
}

func (m *machine) onBeat(now, sent instant, err error) {
	switch k := code(err); {
	case err == nil, k == sarama.ErrRebalanceInProgress: // both make the broker set its session timer anew
		m.praise()
		m.renew(sent)
		m.answered = sent
		m.beatAt = sent.add(min(m.rules.heartbeat, max(fresh, sent.mono-m.freshAt.mono)))
		if err == nil {
			m.lastOK = sent
			if m.seated { // else the group waits for our sync, and not for ever
				m.keep(sent)
			}
			break
		}
		if m.phase == joining && sent.after(m.joinedAt) {
			m.keep(sent)
		}
		if m.phase == stable {
			m.phase, m.reason = unjoined, "the group is rebalancing"
		}
		if !m.cooperative {
			m.hasten(now)
		}
	case forgotten(k) && m.request != 0: // the request in flight will be told so, too
		m.loseAll(err)
		m.beatAt = now.add(m.rules.heartbeat)
	case k == sarama.ErrIllegalGeneration && m.phase != stable:
		// The broker has the new generation and we do not yet, or a new coordinator has only the old one: the
		// join settles it.
		m.beatAt = now.add(m.rules.heartbeat)
	default:
		m.refused(now, err)
		m.beatAt = now.add(max(m.pauseIs, m.backoff))
	}
}

// onTold: what a commit's answer says. Only these say something about the membership; a coordinator that cannot
// write at the moment answers COORDINATOR_NOT_AVAILABLE and is the coordinator still.
func (m *machine) onTold(now instant, err error) {
	switch code(err) {
	case sarama.ErrUnknownMemberId, sarama.ErrGroupIDNotFound, sarama.ErrIllegalGeneration, sarama.ErrFencedInstancedId:
		m.onBeat(now, instant{}, err)
	case sarama.ErrNotCoordinatorForConsumer:
		m.refused(now, err)
	}
}
