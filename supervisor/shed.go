package supervisor

import (
	"log/slog"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// shed tells that a partition was parked or paused for so long that what waited behind its head was dropped from memory. It is
// told by a timer, which may be late.
func (s *supervisor) shed(c *claim, what *actors.Shed) {
	if c.leaving {
		return
	}
	s.log.Info("standing for long: the records behind the head are dropped from memory, and fetched again when the partition goes on",
		c.log(), slog.Int64("from", what.From), slog.Int("records", what.Records), slog.Int("bytes", what.Bytes))
	s.publish(&messages.Shed{Claim: c.Claim, From: what.From, Records: what.Records, Bytes: int64(what.Bytes)})
}
