package messages

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
)

type card struct {
	Number string            `json:"number"`
	Cents  int8              `json:"cents"`
	Due    time.Time         `json:"due"`
	Quoted int               `json:"quoted,string"`
	Blob   []byte            `json:"blob"`
	ByID   map[string]card   `json:"byId"`
	ByNo   map[int8]struct{} `json:"byNo"`
	Pin    pin               `json:"pin"`
	Text   level             `json:"text"`
}

// pin and level are types whose own decoding quotes what it was given.
type pin struct{}

func (*pin) UnmarshalJSON(text []byte) error {
	return &json.UnmarshalTypeError{Value: string(text)}
}

type level struct{}

func (*level) UnmarshalText(text []byte) error { return fmt.Errorf("no level: %s", text) }

// The text of a failure goes to the log and to /status: nothing of the record may be in it, whatever the decoder says.
func TestADecodeErrorShowsNothingOfTheRecord(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{`{"cents":4111111}`, "json: cannot unmarshal number into Go struct field card.cents of type int8 (after byte 16)"},
		{`{"number":4111}`, "json: cannot unmarshal number into Go struct field card.number of type string (after byte 14)"},
		{`{"cents":"4111"}`, "json: cannot unmarshal string into Go struct field card.cents of type int8"},
		{`{"cents":[4111]}`, "json: cannot unmarshal array into Go struct field card.cents of type int8"},
		{`4111`, "json: cannot unmarshal number into Go value of type messages.card (after byte 4)"},
		{`{"byId":{"secret":{"cents":4111}}}`, "json: cannot unmarshal number into Go struct field"},
		{`{"byNo":{"4111":{}}}`, "json: cannot unmarshal number into Go"},
		{`{"pin":4111}`, "json: cannot unmarshal value into Go"},
		{`{"due":"4111-secret"}`, `a time cannot be read as "2006-01-02T15:04:05Z07:00"`},
		{`{"due":"2026-01-01T00:00:00Z4111"}`, `a time cannot be read as "2006-01-02T15:04:05Z07:00"`},
		{`{"quoted":"secret"}`, "(its text may quote the record and is left out here)"},
		{`{"blob":"4111!"}`, "base64.CorruptInputError (its text"},
		{`{"text":"secret"}`, "(its text may quote the record and is left out here)"},
		{`{"number":"4111",}`, "invalid character '}' looking for beginning of object key string"},
		{`{"number":"4111`, "unexpected end of JSON input"},
	} {
		_, err := DecodeJSON[card](&Record{Value: []byte(tt.value)})
		_, enveloped := DecodeEnvelope[card](&Record{Value: []byte(`{"metaData":{},"value":` + tt.value + `}`)})
		if err == nil || !strings.HasPrefix(err.Error(), "ottla: cannot decode the record's value: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.value, err, tt.want)
		}
		for _, err := range []error{err, enveloped} {
			if text := fmt.Sprint(err); !errors.As(err, new(*DecodeError)) || strings.Contains(text, "4111") || strings.Contains(text, "secret") {
				t.Errorf("%s: got %q, want a *DecodeError without contents", tt.value, text)
			}
		}
	}
}

func TestADecodeErrorOfOnesOwnDecoder(t *testing.T) {
	_, number := strconv.Atoi("4111x")
	_, clock := time.Parse(time.DateOnly, "2026-01-01 4111")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errors.New("card 4111"), "*errors.errorString (its text"},
		{number, "*strconv.NumError (its text"},
		{fmt.Errorf("card: %w", fmt.Errorf("4111: %w", number)), "*strconv.NumError (its text"},
		{fmt.Errorf("card 4111: %w", clock), `a time cannot be read as "2006-01-02"`},
		{fmt.Errorf("card 4111: %w", io.ErrUnexpectedEOF), "unexpected EOF"},
		{fmt.Errorf("card 4111: %w", &DecodeError{reason("the reason")}), "the reason"},
		{errors.Join(errors.New("card 4111"), io.EOF), "EOF"},
		{nil, "<nil> (its text"},
	} {
		err := &DecodeError{tt.err}
		if got, want := err.Error(), "ottla: cannot decode the record's value: "+tt.want; !strings.HasPrefix(got, want) || strings.Contains(got, "4111") {
			t.Errorf("got %q, want %q", got, want)
		}
		if !errors.Is(err.Unwrap(), tt.err) {
			t.Errorf("%v: the decoder's error is gone", tt.err)
		}
	}
}
