package supervisor

import (
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/ottla-go/ottla/messages"
)

// logFailure is the one line of a failure: what happened, what will happen next and when, what waits meanwhile.
// Contents of the record, if there is one, are in it only on request.
func (s *supervisor) logFailure(f *messages.Failure, r *messages.Record, d messages.Decision) {
	attrs := []any{
		slog.String("topic", f.Topic), slog.Int("partition", int(f.Partition)), slog.Int64("offset", f.Offset),
		slog.Int("attempt", f.Attempt), slog.Int("incarnation", f.Incarnation), slog.String("class", f.Class.String()),
		slog.Any("error", f.Err), slog.String("rule", d.Rule), slog.String("action", d.Action.String()),
		slog.String("next", describe(f, d)),
	}
	if d.Delay > 0 {
		attrs = append(attrs, slog.Duration("delay", d.Delay), slog.Time("at", time.Now().Add(d.Delay)))
	}
	if r != nil {
		attrs = append(attrs, slog.String("request", r.RequestID()), slog.Time(timeKey(r.TimeKind), r.Time))
		if s.set.LogContents {
			attrs = append(attrs, slog.String("key", printable(r.Key)), slog.String("value", printable(r.Value)))
		}
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

func timeKey(k messages.TimeKind) string {
	if k == messages.LogAppendTime {
		return "logAppendTime"
	}
	return "createTime"
}

// contentsMax is how much of a key or a value goes into a log line.
const contentsMax = 4 << 10

// printable is text as it is, and anything else in hexadecimal.
func printable(b []byte) string {
	cut := ""
	if len(b) > contentsMax {
		b, cut = b[:contentsMax], "…"
	}
	if utf8.Valid(b) {
		return string(b) + cut
	}
	return fmt.Sprintf("%x%s", b, cut)
}

// describe says in words what is done about a failure.
func describe(f *messages.Failure, d messages.Decision) string {
	where := fmt.Sprintf("%s/%d", f.Topic, f.Partition)
	what, waits := "it is", fmt.Sprintf("%s waits until then, other partitions go on (RetryHead ends the wait)", where)
	if f.Offset < 0 {
		what = "what failed is"
	}
	switch d.Action {
	case messages.ActionRetry:
		return fmt.Sprintf("%s tried again after %v; %s", what, d.Delay, waits)
	case messages.ActionRestart:
		return fmt.Sprintf("its actor is restarted and %s tried again after %v; %s", what, d.Delay, waits)
	case messages.ActionBreak:
		return fmt.Sprintf("it is tried again after %v; all partitions of this consumer hold until it, or another record in its place, is handled (RetryHead ends the wait)", d.Delay)
	case messages.ActionSkip:
		switch {
		case f.Offset >= 0:
			return fmt.Sprintf("it is given up and committed; %s goes on", where)
		case d.Delay > 0:
			return fmt.Sprintf("no record is given up for it, and it is tried again after %v; %s", d.Delay, waits)
		}
		return fmt.Sprintf("no record is given up for it; %s goes on", where)
	case messages.ActionDeadLetter:
		return fmt.Sprintf("it is written to %s and committed; %s goes on", d.Target, where)
	case messages.ActionPark:
		if d.Delay > 0 { // fenced
			return fmt.Sprintf("%s stands (%s), and goes on by itself after %v; other partitions go on (RetryHead ends the wait)", where, d.Reason, d.Delay)
		}
		return fmt.Sprintf("%s is parked (%s): it stands until RetryHead, SkipHead or DeadLetterHead, other partitions go on", where, d.Reason)
	case messages.ActionEscalate:
		return "the consumer drains, leaves its group, and fails"
	}
	return d.Action.String()
}
