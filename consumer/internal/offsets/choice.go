package offsets

import (
	"fmt"
	"time"
)

// Choice says where to begin when there is no offset, or none that the log still holds. The zero value is no
// choice: the setting's documented default applies. Choices are comparable.
//
// The numbers are those of Kafka's ListOffsets request: -1 the end, -2 the beginning, else a timestamp in
// milliseconds. Fail is ours.
type Choice int64

const (
	// Latest begins at the end of the log: only what is produced from now on.
	Latest Choice = -1
	// Earliest begins at the oldest record that retention has left.
	Earliest Choice = -2
	// Fail does not begin: the partition parks with the reason, and waits for somebody to act.
	Fail Choice = -3
)

// At begins at the first record whose timestamp is t or later, to the millisecond, and at the end of the log if
// there is none. Who wrote the timestamps, producer or broker, is the topic's message.timestamp.type. A time of
// 1970 or before, and so the zero time, is Earliest.
func At(t time.Time) Choice {
	ms := t.UnixMilli()
	if ms <= 0 {
		return Earliest
	}
	return Choice(ms)
}

// Time is the time of a choice made by [At]; ok is false for all others.
func (c Choice) Time() (t time.Time, ok bool) {
	if c <= 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(c)), true
}

// Valid says whether c is one of Earliest, Latest, Fail, a choice made by At, or the zero value.
func (c Choice) Valid() bool { return c >= Fail }

// Or is c, or d where c is the zero value.
func (c Choice) Or(d Choice) Choice {
	if c == 0 {
		return d
	}
	return c
}

// String is the choice as a configuration or a log shows it, for example At(2026-11-23T10:00:00Z).
func (c Choice) String() string {
	switch {
	case c == 0:
		return "unset"
	case c == Latest:
		return "Latest"
	case c == Earliest:
		return "Earliest"
	case c == Fail:
		return "Fail"
	case c > 0:
		return "At(" + time.UnixMilli(int64(c)).UTC().Format(time.RFC3339Nano) + ")"
	default:
		return fmt.Sprintf("Choice(%d)", int64(c))
	}
}
