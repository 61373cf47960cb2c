package actors

import "github.com/ottla-go/ottla/messages"

// Detain holds the head at offset back for good, if it is held or parked at all; else it answers why not, as SkipHead
// would. Whoever moves an offset store past the head does so first: a hold that ends in the same moment would deliver
// the record, and its handler would move the store, too.
func (m *Mailbox) Detain(offset int64, reason string) error {
	m.mu.Lock()
	err := m.waits(offset)
	switch {
	case err != nil:
	case m.backlog.Unfinished() == 0:
		err = &HeadError{offset, offset, "there is no such record in the backlog"}
	case m.backlog.Gate().Kind == Holding:
		m.park(reason, messages.ClassStore)
	}
	m.kick()
	return err
}
