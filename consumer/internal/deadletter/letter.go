package deadletter

import (
	"strconv"
	"strings"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// Letter is what the headers of a dead letter say.
type Letter struct {
	Topic     string // of the origin; empty: this is no dead letter
	Partition int32
	Offset    int64
	Time      time.Time // zero: not known
	From      string
	Group     string
	Attempts  int
	Class     string
	Error     string
	Stack     string
	First     time.Time
	Written   time.Time
	RequestID string
	Rule, By  string
	Count     int
}

// Read reads the headers of a record, which anybody may have written: what cannot be read is left out. ok is false for a
// record without an origin.
func Read(headers []messages.Header) (l Letter, ok bool) {
	number := func(s string, bits int) int64 {
		n, err := strconv.ParseInt(s, 10, bits)
		if err != nil || n < 0 {
			return -1
		}
		return n
	}
	l.Partition, l.Offset = -1, -1
	for _, h := range headers {
		v := string(h.Value)
		switch h.Key {
		case OriginTopic:
			l.Topic = v
		case OriginPartition:
			l.Partition = int32(number(v, 32))
		case OriginOffset:
			l.Offset = number(v, 64)
		case OriginTime:
			if ms, err := strconv.ParseInt(v, 10, 64); err == nil {
				l.Time = sound(time.UnixMilli(ms))
			}
		case From:
			l.From = v
		case Group:
			l.Group = v
		case Attempts:
			l.Attempts = max(0, int(number(v, 32)))
		case Class:
			l.Class = v
		case Error:
			l.Error = v
		case Stack:
			l.Stack = v
		case FirstFailed:
			l.First = moment(v)
		case Written:
			l.Written = moment(v)
		case RequestID:
			l.RequestID = v
		case Rule:
			l.Rule = v
		case By:
			l.By = v
		case Count:
			l.Count = max(0, int(number(v, 32)))
		}
	}
	return l, l.Topic != "" && l.Partition >= 0 && l.Offset >= 0
}

func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return sound(t.UTC()) // JSON refuses an offset of 24 hours, which may be read
}

// sound is the time, if JSON can hold it.
func sound(t time.Time) time.Time {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}

// Own leaves out what a dead letter's headers have beyond those of its record.
func Own(headers []messages.Header) []messages.Header {
	var own []messages.Header
	for _, h := range headers {
		if !strings.HasPrefix(h.Key, prefix) {
			own = append(own, h)
		}
	}
	return own
}
