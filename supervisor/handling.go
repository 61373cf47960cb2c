package supervisor

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// Handling is what is done with the records of a topic, and with those that fail. Each partition has all of it for itself; what
// the partitions of a consumer share is in [Settings].
type Handling struct {
	// Handler and Producer: exactly one.
	Handler  func(ctx context.Context, r *messages.Record) error
	Producer actor.Producer
	Hooks    actors.Hooks // with Handler only
	// HandlerTimeout is after how long an attempt's context ends with messages.ErrTimeout; 0: never.
	HandlerTimeout time.Duration
	// StuckAfter is after how long a handler that has not returned is reported; 0: never.
	StuckAfter time.Duration
	// Policy decides about failures, where there is no Strategy.
	Policy Policy
	Rate   actors.Rate // of one partition
}

// For is what holds for a topic: that of PerTopic, else that of all others. It is not to be changed.
func (s *Settings) For(topic string) *Handling {
	if h, ok := s.PerTopic[topic]; ok {
		return h
	}
	return &s.Handling
}

// stuckAfter is the shortest of all topics; 0: none is ever stuck.
func (s *Settings) stuckAfter() time.Duration {
	shortest := s.StuckAfter
	for _, h := range s.PerTopic {
		if d := h.StuckAfter; d > 0 && (shortest <= 0 || d < shortest) {
			shortest = d
		}
	}
	return max(0, shortest)
}
