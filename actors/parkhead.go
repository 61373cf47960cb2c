package actors

import "github.com/ottla-go/ottla/messages"

// ParkHead parks the record at offset, which is the head, until RetryHead or SkipHead. Where it is in flight, what comes of
// that counts: if it succeeds, the park is over; if it fails, it is not delivered again. Where it has not been fetched yet,
// it waits as soon as it comes. The next owner parks it at once, also if this one has crashed at it; unless there is an offset
// store, which knows nothing of parks.
func (m *Mailbox) ParkHead(offset int64, reason string) error {
	m.mu.Lock()
	err := m.parkable(offset)
	if err == nil {
		m.park(reason, messages.ClassHandler)
		m.backlog.gate.Named = true
		m.push(true)
	}
	m.kick()
	return err
}

func (m *Mailbox) parkable(offset int64) error {
	head := m.backlog.Next()
	switch g := m.backlog.Gate(); {
	case !m.opened:
		return &HeadError{Want: offset, Have: -1}
	case head != offset:
		return &HeadError{Want: offset, Have: head}
	case m.backlog.Stopping():
		return &HeadError{offset, head, "the partition is being given up"}
	case g.Kind == Parked && !g.passes():
		return &HeadError{offset, head, "it is parked already: " + g.Reason}
	}
	return nil
}
