package member

import (
	"github.com/IBM/sarama"
)

// look asks for the coordinator, paced.
func (m *machine) look(now instant) {
	if m.finding == 0 && now.reached(m.retryAt) {
		m.finding = m.id()
		m.emit(findCoordinator{m.finding})
	}
}

func (m *machine) onFound(now instant, e found) {
	m.finding = 0
	switch {
	case e.err == nil:
		m.orphan = m.orphan || m.fledgling && e.addr != m.last
		m.last = e.addr
		m.coordinator, m.beat, m.beatAt = e.addr, 0, now // a heartbeat at once: is it really the one, and are we in its group?
		m.emit(useCoordinator{e.addr})
	case hopeless(e.err):
		m.ruin(e.err)
	default:
		m.blame(now, e.err, e.denied)
		m.pause(now)
	}
}

// refused is what every error means that is not particular to one request.
func (m *machine) refused(now instant, err error) {
	switch k := code(err); {
	case forgotten(k):
		m.loseAll(err)
		m.identify("", -1)
		m.abandon()
		m.pause(now)
	case k == sarama.ErrIllegalGeneration:
		m.loseAll(err)
		m.identify(m.memberID, -1)
		m.abandon()
		m.pause(now)
	case k == sarama.ErrFencedInstancedId && m.fledgling && m.orphan:
		// Nobody need have taken our place. A static member that comes back gets a new id; where a rebalance is on, the
		// coordinator writes that down only with the assignment (Kafka: GroupCoordinator.updateStaticMemberAndRebalance).
		// If another broker takes over before, it knows our earlier self, and takes us for a stranger. So join once more,
		// without an id. It may be a second process all the same, which has joined meanwhile; then the later one has the
		// place, as ever.
		m.fledgling, m.orphan, m.beat = false, false, 0 // a heartbeat that is out will be told the same
		m.identify("", -1)
		m.abandon()
		m.pause(now)
	case fatal(k):
		m.ruin(err)
	case k == sarama.ErrOffsetsLoadInProgress: // it will be able to answer
		m.blame(now, err, false)
		m.pause(now)
	case m.coordinator != "":
		// It is not the coordinator, or does not answer: keep everything, ask who is. The lease bounds this.
		m.coordinator, m.beat = "", 0
		m.emit(useCoordinator{})
		m.abandon()
		m.blame(now, err, false)
		m.pause(now)
	}
}

// abandon forgets the request in flight, to join anew unless there is nothing to join for.
func (m *machine) abandon() {
	m.request = 0
	if m.phase != stable || m.generation < 0 {
		m.phase = unjoined
	}
}
