package member

import (
	"time"

	"github.com/IBM/sarama"
)

// fresh is the time from a join to the first heartbeat after it; it doubles up to the interval. In a cooperative
// group a second rebalance follows the first, and is found at once that way.
const fresh = 50 * time.Millisecond

func (m *machine) mayBeat() bool { return m.coordinator != "" && m.generation >= 0 && m.beat == 0 }

// tryBeat: also while a join or sync waits, and while partitions are given up.
func (m *machine) tryBeat(now instant) {
	if m.mayBeat() && now.reached(m.beatAt) {
		m.beat = m.id()
		m.emit(sendHeartbeat{m.beat, m.memberID, m.generation})
	}
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
