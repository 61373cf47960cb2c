package deadletter

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ottla-go/ottla/messages"
)

func letter() *messages.DeadLetter {
	r := &messages.Record{
		Topic: "orders", Partition: 3, Offset: 1042, Time: time.UnixMilli(1_700_000_000_123), TimeKind: messages.CreateTime,
		Headers: []messages.Header{{Key: "request-id", Value: []byte("r-7")}, {Key: "h", Value: nil}, {Key: "h", Value: []byte{0xff, 0}}, {Key: ""}},
	}
	return &messages.DeadLetter{
		To: "orders.dlt", Record: r, Rule: "panic", Group: "billing", Time: time.Unix(1_800_000_000, 0),
		Failure: messages.Failure{
			Topic: "orders", Partition: 3, Offset: 1042, Attempt: 4, Class: messages.ClassPanic,
			Err: &messages.PanicError{Value: io.ErrUnexpectedEOF, Stack: []byte("goroutine 7")}, First: time.Unix(1_799_999_000, 5),
		},
	}
}

func get(headers []messages.Header, key string) string {
	r := messages.Record{Headers: headers}
	v, _ := r.Header(key)
	return string(v)
}

func TestHeadersTellWhatIsKnown(t *testing.T) {
	l := letter()
	headers := Headers(l)
	for i, h := range l.Record.Headers {
		if headers[i].Key != h.Key || !bytes.Equal(headers[i].Value, h.Value) || (h.Value == nil) != (headers[i].Value == nil) {
			t.Errorf("header %d of the record is %q=%q now", i, headers[i].Key, headers[i].Value)
		}
	}
	for key, want := range map[string]string{
		OriginTopic: "orders", OriginPartition: "3", OriginOffset: "1042", OriginTime: "1700000000123", OriginTimeKind: "CreateTime",
		From: "orders/3@1042", Group: "billing", Attempts: "5", Class: "Panic", Error: "panic: unexpected EOF", Stack: "goroutine 7",
		FirstFailed: "2027-01-15T07:43:20.000000005Z", Written: "2027-01-15T08:00:00Z", RequestID: "r-7", Rule: "panic", By: "", Count: "1",
	} {
		if got := get(headers, key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	got, ok := Read(headers)
	want := Letter{
		Topic: "orders", Partition: 3, Offset: 1042, Time: l.Record.Time, From: "orders/3@1042", Group: "billing", Attempts: 5,
		Class: "Panic", Error: "panic: unexpected EOF", Stack: "goroutine 7", First: l.Failure.First.UTC(), Written: l.Time.UTC(),
		RequestID: "r-7", Rule: "panic", Count: 1,
	}
	if !ok || got != want {
		t.Errorf("read %+v, want %+v", got, want)
	}
	if own := Own(headers); len(own) != len(l.Record.Headers) {
		t.Errorf("%d own headers", len(own))
	}
}

// A dead letter that fails again is dead-lettered again: who made the origin is not forgotten, and nothing piles up.
func TestADeadLetterOfADeadLetter(t *testing.T) {
	first := Headers(letter())
	again := letter()
	again.Record = &messages.Record{Topic: "orders.dlt", Partition: 1, Offset: 9, Headers: first}
	again.Failure.Class, again.Failure.Err, again.By, again.Rule = messages.ClassHandler, errors.New("still"), "ann", ""
	headers := Headers(again)
	for key, want := range map[string]string{
		OriginTopic: "orders", OriginPartition: "3", OriginOffset: "1042", OriginTime: "1700000000123", RequestID: "r-7",
		From: "orders.dlt/1@9", Class: "Handler", Error: "still", Stack: "", Rule: "", By: "ann", Count: "2",
	} {
		if got := get(headers, key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	seen := map[string]int{}
	for _, h := range headers {
		if seen[h.Key]++; strings.HasPrefix(h.Key, prefix) && seen[h.Key] > 1 {
			t.Errorf("%s stands there %d times", h.Key, seen[h.Key])
		}
	}
}

// An operator dead-letters what was never delivered, or only to earlier owners: none of these deliveries is counted twice.
func TestAttemptsOfARecordThatHasNotFailedHere(t *testing.T) {
	for _, carried := range []int{0, 3} {
		l := letter()
		l.By, l.Rule, l.Failure = "ann", "", messages.Failure{Topic: "orders", Partition: 3, Offset: 1042, Attempt: carried}
		if got, ok := Read(Headers(l)); !ok || got.Attempts != carried || get(Headers(l), Attempts) == "" {
			t.Errorf("%d deliveries: the letter says %d", carried, got.Attempts)
		}
	}
}

// What is not the record's is bounded and valid text, whatever failed.
func TestForeignTextIsCutAndCleaned(t *testing.T) {
	l := letter()
	l.Failure.Err = &messages.PanicError{Value: "\xff" + strings.Repeat("é", 5_000), Stack: bytes.Repeat([]byte("x"), 100_000)}
	l.Rule = strings.Repeat("é", 5_000)
	for _, h := range Headers(l)[len(l.Record.Headers):] {
		if len(h.Value) > mostStack || h.Key != Stack && len(h.Value) > mostError || !utf8.Valid(h.Value) {
			t.Errorf("%s: %d bytes, valid: %v", h.Key, len(h.Value), utf8.Valid(h.Value))
		}
	}
	for n := range 12 {
		if s := clean("aé…𝄞", n); len(s) > max(n, 3) || !utf8.ValidString(s) {
			t.Errorf("cut to %d: %q", n, s)
		}
	}
}

// Anybody can write headers. Reading bounds nothing that is not there, and what is written again can be read.
func FuzzRead(f *testing.F) {
	f.Add("orders", "3", "1042", "1", "2027-01-15T08:00:00Z")
	f.Add("", "-1", "99999999999999999999", "x", "")
	f.Fuzz(func(t *testing.T, topic, partition, offset, count, when string) {
		headers := []messages.Header{
			{Key: OriginTopic, Value: []byte(topic)}, {Key: OriginPartition, Value: []byte(partition)}, {Key: OriginOffset, Value: []byte(offset)},
			{Key: OriginTime, Value: []byte(offset)}, {Key: Attempts, Value: []byte(count)}, {Key: Count, Value: []byte(count)},
			{Key: FirstFailed, Value: []byte(when)}, {Key: Written, Value: []byte(when)}, {Key: "own", Value: []byte(topic)},
		}
		l, ok := Read(headers)
		if ok && (l.Topic == "" || l.Partition < 0 || l.Offset < 0) || l.Attempts < 0 || l.Count < 0 {
			t.Fatalf("read %+v", l)
		}
		again := letter()
		again.Record.Headers = headers
		written := Headers(again)
		second, _ := Read(written)
		if ok && (second.Topic != l.Topic || second.Partition != l.Partition || second.Offset != l.Offset) {
			t.Fatalf("the origin was %+v and is %+v", l, second)
		}
		if second.Count < 1 || second.Attempts != 5 || second.Class != "Panic" {
			t.Fatalf("read %+v", second)
		}
		if own := Own(written); len(own) != 1 || own[0].Key != "own" {
			t.Fatalf("own headers %v", own)
		}
	})
}

func TestOwnLeavesOutOnlyOurs(t *testing.T) {
	if own := Own([]messages.Header{{Key: "ottla"}, {Key: OriginTopic}, {Key: "x"}}); !slices.EqualFunc(own, []string{"ottla", "x"}, func(h messages.Header, k string) bool { return h.Key == k }) {
		t.Errorf("%v", own)
	}
}
