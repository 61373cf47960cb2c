package supervisor

import (
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/ottla-go/ottla/messages"
)

// logFailure is the one line of a failure: what happened, what will happen next and when, what waits meanwhile.
func (s *supervisor) logFailure(f *messages.Failure, d messages.Decision) {
	attrs := []any{
		slog.String("topic", f.Topic), slog.Int("partition", int(f.Partition)), slog.Int64("offset", f.Offset),
		slog.Int("attempt", f.Attempt), slog.Int("incarnation", f.Incarnation), slog.String("class", f.Class.String()),
		slog.Any("error", f.Err), slog.String("rule", d.Rule), slog.String("action", d.Action.String()),
		slog.String("next", describe(f, d)),
	}
	if d.Delay > 0 {
		attrs = append(attrs, slog.Duration("delay", d.Delay), slog.Time("at", time.Now().Add(d.Delay)))
	}
	if len(f.Key) > 0 && s.set.LogContents && utf8.Valid(f.Key) {
		attrs = append(attrs, slog.String("key", string(f.Key)))
	}
	var panicked *messages.PanicError
	if asPanic(f.Err, &panicked) {
		attrs = append(attrs, slog.String("stack", string(panicked.Stack)))
	}
	text := "Assigned Kafka message failed"
	if f.Offset < 0 {
		text = "Partition failed"
	}
	s.log.Error(text, attrs...)
}

// describe says in words what is done about a failure.
func describe(f *messages.Failure, d messages.Decision) string {
	where := fmt.Sprintf("%s/%d", f.Topic, f.Partition)
	switch d.Action {
	case messages.ActionRetry:
		return fmt.Sprintf("it is tried again after %v; %s waits until then, other partitions go on (RetryHead ends the wait)", d.Delay, where)
	case messages.ActionRestart:
		return fmt.Sprintf("its actor is restarted and it is tried again after %v; %s waits until then, other partitions go on (RetryHead ends the wait)", d.Delay, where)
	case messages.ActionSkip:
		return fmt.Sprintf("it is given up and committed; %s goes on", where)
	case messages.ActionPark:
		return fmt.Sprintf("%s is parked (%s): it stands until RetryHead or SkipHead, other partitions go on", where, d.Reason)
	case messages.ActionEscalate:
		return "the consumer drains, leaves its group, and fails"
	}
	return d.Action.String()
}
