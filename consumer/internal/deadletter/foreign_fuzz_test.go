package deadletter

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ottla-go/ottla/messages"
)

// Keys that a foreign writer may use: all of ours, one that a later or an earlier version may have had, and the mark of a replay.
var known = []string{
	OriginTopic, OriginPartition, OriginOffset, OriginTime, OriginTimeKind, From, Group, Attempts, Class, Error, Stack, FirstFailed,
	Written, RequestID, Rule, By, Count, ReplayOf, prefix + "unknown", prefix,
}

// foreign makes headers of anything: parts between zeros, each of a key's number in known, or its first byte as the
// key, and the value. They come in any order, and more than once.
func foreign(text []byte) (headers []messages.Header) {
	for part := range bytes.SplitSeq(text, []byte{0}) {
		if len(part) == 0 {
			continue
		}
		h := messages.Header{Key: string(part[:1])}
		if n := int(part[0]) - 1; n < len(known) {
			h.Key = known[n]
		}
		if len(part) > 1 {
			h.Value = part[1:]
		}
		headers = append(headers, h)
	}
	return headers
}

// text is the other way round, for seeds.
func text(headers ...messages.Header) []byte {
	var parts [][]byte
	for _, h := range headers {
		if n := slices.Index(known, h.Key); n >= 0 {
			h.Key = string(rune(n + 1))
		}
		parts = append(parts, append([]byte(h.Key), h.Value...))
	}
	return bytes.Join(parts, []byte{0})
}

// replays leaves out the marks of replays.
func replays(headers []messages.Header) []messages.Header {
	return slices.DeleteFunc(slices.Clone(headers), func(h messages.Header) bool { return h.Key == ReplayOf })
}

func same(a, b []messages.Header) bool {
	return slices.EqualFunc(a, b, func(x, y messages.Header) bool {
		return x.Key == y.Key && bytes.Equal(x.Value, y.Value) && (x.Value == nil) == (y.Value == nil)
	})
}

// FuzzForeignLetter: what anybody has written into a letter's headers, ours twice, in part, or in a way that nobody can read,
// is dead-lettered again and replayed. The record's own headers stay, byte for byte and in order; an origin that can be read
// stays; each of ours is there once; and what is read of it can be written as JSON.
func FuzzForeignLetter(f *testing.F) {
	header := func(key, value string) messages.Header { return messages.Header{Key: key, Value: []byte(value)} }
	origin := []messages.Header{header(OriginTopic, "orders"), header(OriginPartition, "3"), header(OriginOffset, "1042")}
	f.Add([]byte(nil))
	f.Add(text(Headers(letter())...))
	f.Add(text(append(origin, header(Written, "2026-01-01T00:00:00+24:00"), header(OriginTime, "9223372036854775807"), header("x", "y"))...))
	f.Add(text(append(origin, header(FirstFailed, "9999-12-31T23:59:59-01:00"), header(RequestID, "\xff\x1b[2J"), header(Count, "999999"))...))
	f.Add(text(append(origin, header(OriginTopic, "second"), header(Count, "7"), header(Count, "x"), header(ReplayOf, "a/0@1"), header(ReplayOf, ""))...))
	f.Add(text(header(OriginTopic, "in part"), header(prefix+"unknown", "later"), header(Count, "3"), header("x", ""), header("x", "z")))
	f.Fuzz(func(t *testing.T, written []byte) {
		headers := foreign(written)
		was, ok := Read(headers)
		for _, at := range []time.Time{was.Time, was.First, was.Written} {
			if _, err := json.Marshal(at); err != nil {
				t.Fatalf("%v was read, and JSON does not take it: %v", at, err)
			}
		}
		l := letter()
		l.Record.Headers = headers
		again := Headers(l)
		if !same(Own(again), Own(headers)) {
			t.Fatalf("the record's own headers were %q and are %q", Own(headers), Own(again))
		}
		is, readable := Read(again)
		if !readable || is.Attempts != 5 || is.Class != "Panic" || is.From != "orders/3@1042" {
			t.Fatalf("the letter cannot be read: %+v", is)
		}
		if !ok {
			was = Letter{Topic: "orders", Partition: 3, Offset: 1042}
		}
		if is.Topic != was.Topic || is.Partition != was.Partition || is.Offset != was.Offset || was.RequestID != "" && is.RequestID != was.RequestID {
			t.Fatalf("the origin was %+v and is %+v", was, is)
		}
		if is.Count < 1 || was.Count < 1_000_000-1 && was.Count > 0 && is.Count != was.Count+1 {
			t.Fatalf("the count was %d and is %d", was.Count, is.Count)
		}
		seen := map[string]bool{}
		for _, h := range again {
			kept := ok && slices.Contains([]string{OriginTopic, OriginPartition, OriginOffset, OriginTime, OriginTimeKind, RequestID}, h.Key)
			switch {
			case !strings.HasPrefix(h.Key, prefix):
			case seen[h.Key]:
				t.Fatalf("%s is there twice", h.Key)
			case !kept && (!utf8.Valid(h.Value) || len(h.Value) > mostStack):
				t.Fatalf("%s is %q", h.Key, h.Value)
			default:
				seen[h.Key] = true
			}
		}

		record := Replayed(again, "orders.dlt/3@17")
		if mark := record[len(record)-1]; mark.Key != ReplayOf || string(mark.Value) != "orders.dlt/3@17" || len(replays(record)) != len(record)-1 {
			t.Fatalf("the marks of a replay in %q", record)
		}
		if !same(replays(Own(record)), replays(Own(headers))) {
			t.Fatalf("the record's own headers were %q, and were replayed as %q", Own(headers), Own(record))
		}
		replayed, readable := Read(record)
		if !readable || replayed.Topic != is.Topic || replayed.Partition != is.Partition || replayed.Offset != is.Offset || replayed.Count != is.Count {
			t.Fatalf("the origin was %+v, and is %+v in the replay", is, replayed)
		}
		if replayed.Error != "" || replayed.Class != "" || replayed.Stack != "" || replayed.From != "" {
			t.Fatalf("the failure is replayed, too: %+v", replayed)
		}
	})
}
