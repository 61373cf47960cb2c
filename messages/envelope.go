package messages

import (
	"bytes"
	"encoding/json"
	"errors"
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

// EncodeEnvelope writes v in the JSON envelope, with the request id; an empty one is left out.
func EncodeEnvelope(requestID string, v any) ([]byte, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("ottla: encode the envelope's value: %w", err)
	}
	type meta struct {
		RequestID string `json:"requestId,omitempty"`
	}
	return json.Marshal(struct {
		MetaData meta            `json:"metaData"`
		Value    json.RawMessage `json:"value"`
	}{meta{requestID}, value})
}

// DecodeEnvelope decodes the value inside the JSON envelope. Its error is a *DecodeError. A tombstone, and an
// envelope without a value, decode only where T is struct{} or a pointer (nil).
func DecodeEnvelope[T any](r *Record) (T, error) {
	var v T
	if r.Value == nil {
		return v, absent[T]()
	}
	var e envelope
	if err := json.Unmarshal(r.Value, &e); err != nil {
		return v, &DecodeError{err}
	}
	if e.MetaData == nil {
		return v, &DecodeError{errors.New(`the JSON envelope has no "metaData" (expected {"metaData":{…},"value":…})`)}
	}
	if e.Value == nil {
		return v, absent[T]()
	}
	if err := json.Unmarshal(e.Value, &v); err != nil {
		return v, &DecodeError{err}
	}
	return v, nil
}

// DecodeJSON decodes a bare JSON value. Its error is a *DecodeError. A tombstone decodes only where T is
// struct{} or a pointer (nil).
func DecodeJSON[T any](r *Record) (T, error) {
	var v T
	if r.Value == nil {
		return v, absent[T]()
	}
	if err := json.Unmarshal(r.Value, &v); err != nil {
		return v, &DecodeError{err}
	}
	return v, nil
}

// absent says whether T can stand for "no value".
func absent[T any]() error {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Pointer || t == reflect.TypeFor[struct{}]() {
		return nil
	}
	return &DecodeError{fmt.Errorf("the record has no value (a tombstone), and %v cannot be absent: use *%v to accept it", t, t)}
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
