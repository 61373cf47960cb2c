package deadletter

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ottla-go/ottla/messages"
)

// prefix is that of every header of ours.
const prefix = "ottla-dlt-"

// The headers of a dead letter, all of them text. Those of the origin stay as they are when a dead letter fails again and is
// dead-lettered once more; the others are the newest failure's.
const (
	OriginTopic     = prefix + "topic"
	OriginPartition = prefix + "partition"
	OriginOffset    = prefix + "offset"
	OriginTime      = prefix + "time"      // milliseconds since 1970, as the record has it
	OriginTimeKind  = prefix + "time-kind" // CreateTime or LogAppendTime
	From            = prefix + "from"      // topic/partition@offset of the record that this letter was made of
	Group           = prefix + "group"
	Attempts        = prefix + "attempts" // deliveries, the last one included
	Class           = prefix + "class"
	Error           = prefix + "error"
	Stack           = prefix + "stack" // of a panic
	FirstFailed     = prefix + "first-failed"
	Written         = prefix + "written"
	RequestID       = prefix + "request-id"
	Rule            = prefix + "rule"
	By              = prefix + "by"    // an operator
	Count           = prefix + "count" // how often it was dead-lettered
)

// ReplayOf says that a record was written by a replay, of which letter. It has no prefix of a letter's: should the record
// fail again, it is a header of its own.
const ReplayOf = "ottla-replay-of"

// Bounds of what is not the record's, in bytes: it must not make a letter of a record that was just not too large.
const (
	mostError = 1_000
	mostStack = 4_000
)

// Headers are the record's own, byte for byte and in order, and then ours. Ours of an earlier letter are replaced.
func Headers(l *messages.DeadLetter) []messages.Header {
	r, f := l.Record, &l.Failure
	origin := map[string][]byte{}
	all := make([]messages.Header, 0, len(r.Headers)+20)
	count := 1
	for _, h := range r.Headers {
		if !strings.HasPrefix(h.Key, prefix) {
			all = append(all, h)
			continue
		}
		switch h.Key {
		case OriginTopic, OriginPartition, OriginOffset, OriginTime, OriginTimeKind, RequestID:
			origin[h.Key] = h.Value
		case Count:
			if n, err := strconv.Atoi(string(h.Value)); err == nil && n > 0 && n < 1_000_000 {
				count = n + 1
			}
		}
	}
	if _, ok := Read(r.Headers); !ok { // what cannot be read is nobody's origin, and must not make a letter that nobody can read
		clear(origin)
		count = 1
	}
	add := func(key, value string) {
		if kept, ok := origin[key]; ok {
			all = append(all, messages.Header{Key: key, Value: kept})
		} else if value != "" {
			all = append(all, messages.Header{Key: key, Value: []byte(value)})
		}
	}
	add(OriginTopic, r.Topic)
	add(OriginPartition, strconv.Itoa(int(r.Partition)))
	add(OriginOffset, strconv.FormatInt(r.Offset, 10))
	add(OriginTime, strconv.FormatInt(r.Time.UnixMilli(), 10))
	if r.TimeKind != messages.TimeUnknown {
		add(OriginTimeKind, r.TimeKind.String())
	}
	add(RequestID, clean(r.RequestID(), mostError))
	add(From, r.String())
	add(Group, clean(l.Group, mostError))
	attempts := f.Attempt + 1
	if f.Class == 0 { // an operator's word about a record that has not failed here: those of earlier owners
		attempts = f.Attempt
	}
	add(Attempts, strconv.Itoa(attempts))
	if f.Class != 0 {
		add(Class, f.Class.String())
	}
	if f.Err != nil {
		add(Error, clean(f.Err.Error(), mostError))
		var panicked *messages.PanicError
		if errors.As(f.Err, &panicked) {
			add(Stack, clean(string(panicked.Stack), mostStack))
		}
	}
	if !f.First.IsZero() {
		add(FirstFailed, f.First.UTC().Format(time.RFC3339Nano))
	}
	add(Written, l.Time.UTC().Format(time.RFC3339Nano))
	add(Rule, clean(l.Rule, mostError))
	add(By, clean(l.By, mostError))
	add(Count, strconv.Itoa(count))
	return all
}

// Replayed are the headers of a record that is written again: its own, where it came from first, and which letter this is of.
// What was said of the failure is left out, and so is an earlier replay.
func Replayed(headers []messages.Header, letter string) []messages.Header {
	all := make([]messages.Header, 0, len(headers)+1)
	for _, h := range headers {
		switch h.Key {
		case OriginTopic, OriginPartition, OriginOffset, OriginTime, OriginTimeKind, RequestID, Count:
		case ReplayOf:
			continue
		default:
			if strings.HasPrefix(h.Key, prefix) {
				continue
			}
		}
		all = append(all, h)
	}
	return append(all, messages.Header{Key: ReplayOf, Value: []byte(letter)})
}

// clean is valid UTF-8 of at most this many bytes. What is cut ends in "…".
func clean(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	const dots = "…"
	cut := max(0, most-len(dots))
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + dots
}
