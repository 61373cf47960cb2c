package messages

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
)

type order struct{ Cents int }

// decoded is what came of one value under one type; the type parameter is why it is a function.
func decoded[T any](value []byte) (envelope, bare any, envelopeErr, bareErr error) {
	envelope, envelopeErr = DecodeEnvelope[T](&Record{Value: value})
	bare, bareErr = DecodeJSON[T](&Record{Value: value})
	return envelope, bare, envelopeErr, bareErr
}

func TestDecodeEnvelope(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  any    // an order; nil: an error
		text  string // part of it
	}{
		{`{"metaData":{"requestId":"r"},"value":{"Cents":7}}`, order{7}, ""},
		{`{"metaData":{},"value":{"Cents":7}}`, order{7}, ""},
		{`{"metaData":{"requestId":null},"value":{"Cents":7},"more":1}`, order{7}, ""},
		{`{"value":{"Cents":7}}`, nil, `no "metaData"`},
		{`{"metaData":null,"value":{"Cents":7}}`, nil, `no "metaData"`},
		{`{"Cents":7}`, nil, `no "metaData"`},
		{`null`, nil, `no "metaData"`},
		{`{"metaData":{}}`, nil, "use *messages.order"},
		{`{"metaData":{},"value":null}`, nil, "use *messages.order"},
		{`{"metaData":{},"value":"x"}`, nil, "cannot unmarshal"},
		{`{"metaData":7,"value":{}}`, nil, "cannot unmarshal"},
		{`[]`, nil, "cannot unmarshal"},
		{``, nil, "unexpected end"},
		{`{"metaData":{},"value":{}} x`, nil, "invalid character"},
	} {
		got, err := DecodeEnvelope[order](&Record{Value: []byte(tt.value)})
		if tt.want != nil {
			if err != nil || got != tt.want {
				t.Errorf("%s: %+v, %v", tt.value, got, err)
			}
			continue
		}
		var decode *DecodeError
		if !errors.As(err, &decode) || !strings.Contains(err.Error(), tt.text) || got != (order{}) {
			t.Errorf("%s: %+v, %v; want a *DecodeError with %q", tt.value, got, err, tt.text)
		}
	}
}

func TestWhatIsAbsentDecodesOnlyWhereItCanBe(t *testing.T) {
	var decode *DecodeError
	if _, _, e, b := decoded[order](nil); !errors.As(e, &decode) || !errors.As(b, &decode) || !strings.Contains(b.Error(), "tombstone") || !strings.Contains(b.Error(), "*messages.order") {
		t.Errorf("a tombstone as an order: %v, %v", e, b)
	}
	if e, b, eErr, bErr := decoded[*order](nil); eErr != nil || bErr != nil || e != (*order)(nil) || b != (*order)(nil) {
		t.Errorf("a tombstone as a pointer: %v %v, %v %v", e, b, eErr, bErr)
	}
	if _, _, e, b := decoded[struct{}](nil); e != nil || b != nil {
		t.Errorf("a tombstone as nothing: %v, %v", e, b)
	}
	if v, err := DecodeEnvelope[*order](&Record{Value: []byte(`{"metaData":{}}`)}); v != nil || err != nil {
		t.Errorf("no value as a pointer: %v, %v", v, err)
	}
	if _, err := DecodeEnvelope[struct{}](&Record{Value: []byte(`{"metaData":{"requestId":"r"},"value":[]}`)}); err != nil {
		t.Errorf("the ancestor's unit: %v", err)
	}
	if _, err := DecodeJSON[struct{}](&Record{Value: []byte(`[`)}); !errors.As(err, &decode) {
		t.Errorf("broken JSON as nothing: %v", err)
	}
}

type custom struct{ seen string }

func (c *custom) UnmarshalJSON(b []byte) error { c.seen = string(b); return nil }

// encoding/json makes the zero value of a null without a word: an order of nothing would be handled.
func TestANullIsNoOrderOfNothing(t *testing.T) {
	null := []byte(" null\n")
	var decode *DecodeError
	for name, err := range map[string]error{
		"struct": second(DecodeJSON[order](&Record{Value: null})),
		"number": second(DecodeJSON[int](&Record{Value: null})),
		"text":   second(DecodeJSON[string](&Record{Value: null})),
		"array":  second(DecodeJSON[[2]int](&Record{Value: null})),
	} {
		if !errors.As(err, &decode) || !strings.Contains(err.Error(), "null") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"pointer": second(DecodeJSON[*order](&Record{Value: null})),
		"map":     second(DecodeJSON[map[string]int](&Record{Value: null})),
		"slice":   second(DecodeJSON[[]int](&Record{Value: null})),
		"any":     second(DecodeJSON[any](&Record{Value: null})),
		"raw":     second(DecodeJSON[json.RawMessage](&Record{Value: null})),
		"nothing": second(DecodeJSON[struct{}](&Record{Value: null})),
		"own":     second(DecodeJSON[custom](&Record{Value: null})),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v, err := DecodeJSON[custom](&Record{Value: null}); err != nil || v.seen != "null" {
		t.Errorf("own: %+v, %v", v, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestEncodeEnvelope(t *testing.T) {
	got, err := EncodeEnvelope("r-1", order{7})
	if want := `{"metaData":{"requestId":"r-1"},"value":{"Cents":7}}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	r := &Record{Value: got}
	if r.RequestID() != "r-1" {
		t.Errorf("request id %q", r.RequestID())
	}
	got, err = EncodeEnvelope("", nil)
	if err != nil || !regexp.MustCompile(`^{"metaData":{"requestId":"[0-9a-f-]{36}"},"value":null}$`).Match(got) {
		t.Errorf("without a request id: %s, %v", got, err)
	}
	if _, err := EncodeEnvelope("r", func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

func TestRequestID(t *testing.T) {
	v4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	header := []Header{{RequestIDHeader, []byte("old")}, {RequestIDHeader, []byte("from-header")}}
	for _, tt := range []struct {
		name, value string
		headers     []Header
		want        string // "": a fresh UUID
	}{
		{"envelope", `{"metaData":{"requestId":"from-envelope"},"value":1}`, nil, "from-envelope"},
		{"envelope before header", `{"metaData":{"requestId":"from-envelope"},"value":1}`, header, "from-envelope"},
		{"header", `{"Cents":7}`, header, "from-header"},
		{"envelope without one", `{"metaData":{},"value":1}`, header, "from-header"},
		{"envelope with an empty one", `{"metaData":{"requestId":""},"value":1}`, header, "from-header"},
		{"envelope with a number", `{"metaData":{"requestId":7},"value":1}`, header, "from-header"},
		{"broken envelope", `{"metaData":{"requestId":"x"`, header, "from-header"},
		{"tombstone", "", header, "from-header"},
		{"empty header", "", []Header{{RequestIDHeader, nil}}, ""},
		{"nothing", "", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Record{Value: []byte(tt.value), Headers: tt.headers}
			got := r.RequestID()
			if tt.want != "" && got != tt.want || tt.want == "" && !v4.MatchString(got) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if r.RequestID() != got || r.Clone().RequestID() != got {
				t.Error("it changes")
			}
		})
	}
	if a, b := (&Record{}).RequestID(), (&Record{}).RequestID(); a == b {
		t.Error("two records share a fresh id")
	}
}

func TestRequestIDIsOneForAllWhoAskAtOnce(t *testing.T) {
	r := &Record{}
	ids := make([]string, 20)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = r.RequestID() })
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("%v", ids)
		}
	}
}

// FuzzEnvelope feeds the decoders whatever a producer may send: they never panic, their errors are all
// *DecodeError, a value that decodes comes back from the encoder, and the request id agrees with it.
func FuzzEnvelope(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `{"metaData":{"requestId":"r"},"value":{"Cents":7}}`, `{"metaData":{},"value":null}`,
		`{"metaData":null}`, `{"metaData":{"requestId":7},"value":[]}`, `{"METADATA":{"requestid":"x"},"VALUE":"y"}`,
		"{\"metaData\":{\"requestId\":\"\xff\"},\"value\":\"\\ud800\"}", `{"metaData":{"requestId":"a","requestId":"b"},"value":1e400}`,
	} {
		f.Add([]byte(seed), seed == "")
	}
	f.Fuzz(func(t *testing.T, value []byte, tombstone bool) {
		if tombstone {
			value = nil
		}
		check := func(err error) {
			var decode *DecodeError
			if err != nil && (!errors.As(err, &decode) || ClassOf(err) != ClassDecode) {
				t.Errorf("%q: %v is no *DecodeError", value, err)
			}
		}
		_, _, e, b := decoded[order](value)
		check(e)
		check(b)
		_, _, e, b = decoded[struct{}](value)
		check(e)
		check(b)
		_, _, e, b = decoded[*order](value)
		check(e)
		check(b)

		r := &Record{Value: value}
		id := r.RequestID()
		if id == "" {
			t.Errorf("%q: no request id", value)
		}
		raw, err := DecodeEnvelope[json.RawMessage](r)
		check(err)
		if err != nil {
			return
		}
		again, err := EncodeEnvelope(id, raw)
		if err != nil {
			t.Fatalf("%q decodes to %q, which cannot be encoded: %v", value, raw, err)
		}
		back := &Record{Value: again}
		if back.RequestID() != id {
			t.Errorf("%q: request id %q came back as %q", value, id, back.RequestID())
		}
		var want, got any
		if json.Unmarshal(raw, &want) != nil {
			return // 1e400 is JSON, and no Go number
		}
		rawBack, err := DecodeEnvelope[json.RawMessage](back)
		if err != nil || json.Unmarshal(rawBack, &got) != nil {
			t.Fatalf("%q: %q, %v", value, rawBack, err)
		}
		if a, b := mustJSON(t, want), mustJSON(t, got); a != b {
			t.Errorf("%q: %s came back as %s", value, a, b)
		}
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
