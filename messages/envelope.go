package messages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/google/uuid"
)

// RequestIDHeader is the header that carries a request id where the value has no envelope.
const RequestIDHeader = "request-id"

// envelope is the ancestor's wire format: {"metaData":{"requestId":"…"},"value":…}.
type envelope struct {
	MetaData *struct {
		RequestID *string `json:"requestId"`
	} `json:"metaData"`
	Value json.RawMessage `json:"value"`
}

// EncodeEnvelope writes v in the JSON envelope. An empty request id becomes a fresh UUID (version 4): the
// ancestor's readers demand one.
func EncodeEnvelope(requestID string, v any) ([]byte, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("ottla: encode the envelope's value: %w", err)
	}
	if requestID == "" {
		requestID = uuid.NewString()
	}
	type meta struct {
		RequestID string `json:"requestId"`
	}
	return json.Marshal(struct {
		MetaData meta            `json:"metaData"`
		Value    json.RawMessage `json:"value"`
	}{meta{requestID}, value})
}

// DecodeEnvelope decodes the value inside the JSON envelope, as [DecodeJSON] does a bare one. Its error is a
// *DecodeError. A tombstone, and an envelope without a value, decode only where T is struct{} or a pointer (nil).
func DecodeEnvelope[T any](r *Record) (T, error) {
	var none T
	if r.Value == nil {
		return none, absent[T]("the record has no value (a tombstone)")
	}
	var e envelope
	if err := json.Unmarshal(r.Value, &e); err != nil {
		return none, &DecodeError{err}
	}
	if e.MetaData == nil {
		return none, &DecodeError{reason(`the JSON envelope has no "metaData" (expected {"metaData":{…},"value":…})`)}
	}
	if e.Value == nil {
		return none, absent[T]("the envelope has no value")
	}
	return decodeValue[T](e.Value)
}

// DecodeJSON decodes a bare JSON value. Its error is a *DecodeError. A tombstone decodes only where T is
// struct{} or a pointer (nil). A JSON null decodes only where T can hold it (a pointer, map, slice or interface, or
// a type with an UnmarshalJSON of its own): encoding/json alone would make it the zero T without a word, and a
// handler would charge an order of nothing.
func DecodeJSON[T any](r *Record) (T, error) {
	if r.Value == nil {
		var none T
		return none, absent[T]("the record has no value (a tombstone)")
	}
	return decodeValue[T](r.Value)
}

func decodeValue[T any](text []byte) (T, error) {
	var v, none T
	if err := json.Unmarshal(text, &v); err != nil {
		if isUnit[T]() && json.Valid(text) {
			return none, nil // the ancestor's unit is written as []
		}
		return none, &DecodeError{err}
	}
	if string(bytes.TrimSpace(text)) == "null" && !holdsNull[T]() {
		return none, absent[T]("the value is null")
	}
	return v, nil
}

func isUnit[T any]() bool { return reflect.TypeFor[T]() == reflect.TypeFor[struct{}]() }

// holdsNull says whether null is a value of T.
func holdsNull[T any]() bool {
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	default:
		_, own := any(new(T)).(json.Unmarshaler)
		return own
	}
}

// absent says whether T can stand for "no value".
func absent[T any](what string) error {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Pointer || isUnit[T]() {
		return nil
	}
	return &DecodeError{reason(fmt.Sprintf("%s, and %v cannot be absent: use *%v to accept it", what, t, t))}
}

// RequestID is the id of the request that led to the record: from the JSON envelope, else from the header
// "request-id", else a fresh UUID (version 4). It is the same for every attempt at the record in this claim.
func (r *Record) RequestID() string {
	if id := r.requestID.Load(); id != nil {
		return *id
	}
	id := r.findRequestID()
	if r.requestID.CompareAndSwap(nil, &id) {
		return id
	}
	return *r.requestID.Load()
}

func (r *Record) findRequestID() string {
	if bytes.Contains(r.Value, []byte(`"metaData"`)) { // cheap: most values without an envelope end here
		var e struct {
			MetaData struct {
				RequestID string `json:"requestId"`
			} `json:"metaData"`
		}
		if json.Unmarshal(r.Value, &e) == nil && e.MetaData.RequestID != "" {
			return e.MetaData.RequestID
		}
	}
	if v, ok := r.Header(RequestIDHeader); ok && len(v) > 0 {
		return string(v)
	}
	return uuid.NewString()
}
