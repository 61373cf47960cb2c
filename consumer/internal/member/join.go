package member

import (
	"strings"

	"github.com/IBM/sarama"
)

// mayJoin: eager members give up everything first; a cooperative one joins while it gives up, also to stop,
// because its last commits need a generation that lives; a static one that stops and remains joins for its successor.
func (m *machine) mayJoin() bool {
	switch {
	case m.coordinator == "" || m.phase != unjoined:
		return false
	case len(m.owned) == 0:
		return !m.stopping || m.midway()
	default:
		return m.cooperative
	}
}

func (m *machine) tryJoin(now instant) {
	if !m.mayJoin() || !now.reached(m.retryAt) || !now.reached(m.joinAt) {
		return
	}
	m.claimed = m.ours(func(tp, *claim) bool { return true }) // also what is being given up: nobody else may have it yet
	m.phase, m.request, m.joinedAt, m.met = joining, m.id(), now, true
	if m.generation < 0 {
		m.beatAt = now.add(m.rules.heartbeat) // a join that is answered soon needs no probe
	}
	m.emit(sendJoin{m.request, m.memberID, m.claimed, m.generation, m.reason})
}

func (m *machine) onJoined(now instant, e joined) {
	m.request, m.phase = 0, unjoined
	if e.err == nil {
		m.enter(now, e)
		return
	}
	switch code(e.err) {
	case sarama.ErrMemberIdRequired: // KIP-394: once more, with the id
		if m.memberID != "" {
			m.pause(now)
		}
		m.praise()
		m.identify(e.member, m.generation)
	case sarama.ErrRebalanceInProgress:
		m.pause(now)
	default:
		if e.timedOut && m.answered.after(m.joinedAt) {
			// Another member lets the group wait for longer than we would (the broker waits for the longest
			// rebalance timeout among the members), and the coordinator answers heartbeats: ask on.
			return
		}
		m.failed(now, e.err)
	}
}

// enter: the group has a generation, and we are in it.
func (m *machine) enter(now instant, e joined) {
	m.praise()
	if e.generation != m.generation {
		m.seated = false
		if m.generation >= 0 { // it was made after the last answer of the one before, and waits for our sync from then on
			m.keep(later(m.answered, m.lastOK))
		}
	}
	if e.member != m.memberID {
		m.fledgling, m.orphan = true, false
	}
	m.identify(e.member, e.generation)
	m.protocol, m.reason = e.protocol, ""
	if m.leader = e.leader == e.member; !m.leader {
		m.asked = 0
	}
	m.withheld, m.askAt = false, instant{}
	m.ghost = !m.leader && isOurs(e.leader, m.instance)
	m.beat = 0 // an answer to a heartbeat of the generation before says nothing about this one
	m.beatAt, m.freshAt = now, now
	m.emit(watch{m.leader})
	if m.leader {
		m.phase, m.request = planning, m.id()
		m.emit(makePlan{m.request, m.protocol, m.generation, e.members})
	} else {
		m.sync(nil)
	}
}

// isOurs says that a member id was made for our instance id: Kafka makes it of the instance id, a hyphen and a
// UUID of 36 characters (GroupMetadata.generateMemberId).
//
// A static leader that restarts is told its earlier member id as the leader's, up to JoinGroup version 8, which
// is sarama's newest (KIP-814 cures it in version 9). Then nobody leads: partitions that are added later would
// never be noticed.
func isOurs(member, instance string) bool {
	return instance != "" && len(member) == len(instance)+37 && strings.HasPrefix(member, instance+"-")
}
