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
