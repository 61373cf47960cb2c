package supervisor

import (
	"errors"
	"log/slog"

	"github.com/ottla-go/ottla/messages"
)

// publish sends an event to whoever has subscribed.
func (s *supervisor) publish(e messages.Event) {
	if s.set.Event != nil {
		s.set.Event(e)
	}
	for _, who := range s.subscribers {
		s.ctx.Send(who, e)
	}
}

func (s *supervisor) commitFailed(mc messages.Claim, next int64, err error, final bool) {
	if c := s.claims[mc.Sequence]; c != nil {
		c.counted.CommitsFailed++
	} else {
		s.ended.CommitsFailed++
	}
	text := "a commit failed and is tried again: until it succeeds, records that were finished would be handled again after a rebalance or a crash; many of these mean no progress"
	switch {
	case final && errors.As(err, new(*GoneError)):
		text = "the last offset of a claim was not committed, because its partition was deleted"
	case final:
		text = "a commit failed and its claim is over: records that were finished may be handled again by the next owner"
	}
	s.log.Warn(text, slog.String("topic", mc.Topic), slog.Int("partition", int(mc.Partition)), slog.Int64("next", next), slog.Any("error", err))
	s.publish(&messages.CommitFailed{Claim: mc, Next: next, Err: err, Final: final})
}

func asPanic(err error, to **messages.PanicError) bool { return errors.As(err, to) }
