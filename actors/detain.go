package actors

import "github.com/ottla-go/ottla/messages"

// Detain holds the head at offset back for good and answers it, if it is held, parked or paused at all; else it answers why not,
// as SkipHead would. Whoever moves an offset store past the head, or writes it elsewhere, does so first: a hold that ends in
// the same moment would deliver the record, and its handler would move the store, too. The park is of this class.
func (m *Mailbox) Detain(offset int64, reason string, class messages.Class) (*messages.Record, error) {
	m.mu.Lock()
	fence := m.fence
	t, err := m.detain(offset, reason, class)
	m.kick()
	if err != nil {
		return nil, err
	}
	r := t.Again()
	if r != nil {
		r = r.Clone() // a writer that did not heed its time may still have the one before
	} else {
		r = new(messages.Record)
		t.Read(r)
	}
	r.Fence = fence // it may never have been delivered, or have been shed since
	return r, nil
}

func (m *Mailbox) detain(offset int64, reason string, class messages.Class) (Taken, error) {
	if err := m.waits(offset); err != nil {
		return Taken{}, err
	}
	t, ok := m.backlog.Head()
	if !ok {
		return Taken{}, &HeadError{offset, offset, "there is no such record in the backlog"}
	}
	if m.backlog.Gate().Kind != Parked { // it holds, or is only paused, and Resume would let it out
		m.park(reason, class)
	}
	return t, nil
}
