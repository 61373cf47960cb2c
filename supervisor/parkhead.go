package supervisor

import (
	"errors"

	"github.com/ottla-go/ottla/messages"
)

// parkHead keeps the head from its handler. It needs a head that is known.
func (s *supervisor) parkHead(c *claim, m *messages.ParkHead) error {
	switch {
	case c.skipping:
		return errSkipping
	case c.blocked != nil:
		return errors.New("ottla: the partition is parked already: it cannot be read")
	case !c.known:
		return errors.New("ottla: it is not known at the moment where the partition stands")
	}
	reason := "by " + m.By
	if m.Reason != "" {
		reason = m.Reason + " (" + reason + ")"
	}
	if err := c.mailbox.ParkHead(m.Offset, reason); err != nil {
		return err
	}
	s.publish(&messages.Parked{Head: m.Head, Reason: m.Reason, By: m.By})
	return nil
}
