package messages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// protoactor prints and logs messages whole: neither a record's contents nor the reply may come out.
func TestAnAnswerIsPrintedWithoutContents(t *testing.T) {
	a := &Answer{
		Record: &Record{Topic: "orders", Partition: 3, Offset: 1042, Value: []byte("secret")},
		Value:  "secret", Err: errors.New("secret"),
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		fmt.Fprintf(&out, verb+"\n", a)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("dead letter", "message", a)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("dead letter", "envelope", struct{ Message any }{a})
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	if got := out.String(); strings.Contains(got, "secret") || strings.Count(got, "answer about orders/3@1042") != 9 {
		t.Errorf("printed:\n%s", got)
	}
}

// One rule of a policy may be for both.
func TestNoActorIsNoReply(t *testing.T) {
	if !errors.Is(ErrNoActor, ErrNoReply) || errors.Is(ErrNoReply, ErrNoActor) {
		t.Errorf("%v, %v", ErrNoActor, ErrNoReply)
	}
}
