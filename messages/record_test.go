package messages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
)

// full has every exported field set, so that a copy that forgets one is seen.
func full() *Record {
	return &Record{
		Topic: "orders", Partition: 3, Offset: 1042, Key: []byte("the key"), Value: []byte("the value"),
		Headers: []Header{{"a", []byte("first")}, {"b", nil}, {"a", []byte("second")}},
		Time:    time.UnixMilli(17), TimeKind: LogAppendTime, Attempt: 4, Fence: 9,
	}
}

// fields are the exported ones, by name.
func fields(r *Record) map[string]any {
	list := map[string]any{}
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			list[f.Name] = v.Field(i).Interface()
		}
	}
	return list
}

func TestFullIsFull(t *testing.T) {
	for name, value := range fields(full()) {
		if reflect.ValueOf(value).IsZero() {
			t.Errorf("%s is not set: the tests of copies would not notice its loss", name)
		}
	}
}

func TestHeaderIsTheLastOfItsKey(t *testing.T) {
	r := full()
	for key, want := range map[string]string{"a": "second", "b": ""} {
		if got, ok := r.Header(key); !ok || string(got) != want {
			t.Errorf("%s: %q %v, want %q", key, got, ok, want)
		}
	}
	if got, ok := r.Header("c"); ok || got != nil {
		t.Errorf("c: %q %v", got, ok)
	}
}

func TestSize(t *testing.T) {
	if got := (&Record{}).Size(); got != RecordOverhead {
		t.Errorf("an empty record counts for %d", got)
	}
	if got, want := full().Size(), RecordOverhead+3*HeaderOverhead+len("the key")+len("the value")+len("a"+"first")+len("b")+len("a"+"second"); got != want {
		t.Errorf("size %d, want %d", got, want)
	}
}

func TestCloneHasItsOwnBytes(t *testing.T) {
	r := full()
	c := r.Clone()
	if !reflect.DeepEqual(fields(c), fields(r)) {
		t.Errorf("got %+v, want %+v", fields(c), fields(r))
	}
	for _, b := range [][]byte{r.Key, r.Value, r.Headers[0].Value, r.Headers[2].Value} {
		clear(b) // the fetch buffer is used again
	}
	r.Headers[0].Key = "x"
	if !reflect.DeepEqual(fields(c), fields(full())) {
		t.Errorf("the copy changed with its origin: %+v", fields(c))
	}
}

func TestCloneKeepsNilApartFromEmpty(t *testing.T) {
	tombstone := (&Record{}).Clone()
	if tombstone.Key != nil || tombstone.Value != nil || tombstone.Headers != nil {
		t.Errorf("nil became %+v", fields(tombstone))
	}
	empty := (&Record{Key: []byte{}, Value: []byte{}, Headers: []Header{}}).Clone()
	if empty.Key == nil || empty.Value == nil || empty.Headers == nil {
		t.Errorf("empty became %+v", fields(empty))
	}
}

func TestRedeliverIsTheNextAttemptOfTheSameRequest(t *testing.T) {
	r := full() // without a request id: a fresh one is made, and must be the same for both attempts
	next := r.Redeliver()
	want := fields(full())
	want["Attempt"] = 5
	if !reflect.DeepEqual(fields(next), want) {
		t.Errorf("got %+v, want %+v", fields(next), want)
	}
	if next == r || r.Attempt != 4 {
		t.Error("the attempt that failed was changed")
	}
	if r.RequestID() != next.RequestID() || r.RequestID() == "" {
		t.Errorf("request ids %q and %q", r.RequestID(), next.RequestID())
	}
}

// Contents of records must not come into a log by accident, whoever prints them and however.
func TestContentsAreNeverPrinted(t *testing.T) {
	r := &Record{
		Topic: "orders", Partition: 3, Offset: 1042, Key: []byte("secret-key"), Value: []byte("secret-value"),
		Headers: []Header{{"secret-header", []byte("secret-header-value")}},
	}
	f := Failure{Topic: "orders", Partition: 3, Offset: 1042, Key: []byte("secret-key"), Class: ClassHandler, Err: errors.New("boom")}
	type envelope struct { // as protoactor wraps what is requested
		Header  map[string]string
		Message any
	}
	things := map[string]any{
		"record": r, "records": []*Record{r}, "wrapped record": &envelope{Message: r}, "forwarded record": &Forward{Message: r},
		"failure": f, "failure by pointer": &f, "failed event": &Failed{Failure: f}, "escalated": &EscalatedError{f},
		"panic with a record": &PanicError{Value: r}, "status": &Status{Partitions: []PartitionStatus{{Failure: &f}}},
	}
	secrets := []string{"secret", strings.Trim(fmt.Sprintf("%d", []byte("secret")), "[]"), "c2VjcmV0", fmt.Sprintf("%x", "secret"), fmt.Sprintf("%X", "secret")}
	for name, thing := range things {
		var texts []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20v", "%-5.2s"} {
			texts = append(texts, fmt.Sprintf(verb, thing))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "message", thing, slog.Group("g", slog.Any("m", thing)))
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "message", thing, slog.Group("g", slog.Any("m", thing)))
		texts = append(texts, log.String())
		if encoded, err := json.Marshal(thing); err == nil {
			texts = append(texts, string(encoded))
		}
		for _, text := range texts {
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%s: %s", name, text)
				}
			}
		}
	}
}

func TestCoordinates(t *testing.T) {
	r := full()
	for _, text := range []string{r.String(), fmt.Sprint(r), fmt.Sprintf("%#v", r), fmt.Sprintf("%s", r), r.LogValue().String()} {
		if text != "orders/3@1042" {
			t.Errorf("got %q", text)
		}
	}
	f := Failure{Topic: "orders", Partition: 3, Offset: 1042, Attempt: 2, Class: ClassPanic, Err: errors.New("boom")}
	if got := f.Where(); got != "orders/3@1042" {
		t.Errorf("got %q", got)
	}
	if got, want := fmt.Sprint(f), "orders/3@1042 attempt 2 (Panic): boom"; got != want || f.LogValue().String() != want {
		t.Errorf("got %q, want %q", got, want)
	}
	f.Offset = -1
	if got := f.Where(); got != "orders/3" {
		t.Errorf("no record: %q", got)
	}
	if got := (Claim{Topic: "orders", Partition: 3, Sequence: 17}).String(); got != "orders/3#17" {
		t.Errorf("got %q", got)
	}
}
