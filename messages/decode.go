package messages

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
)

// DecodeError is the failure of a value that could not be decoded. Its text goes to the log and to the status, and
// so shows nothing of the record; Err is the decoder's error as it came, which may.
type DecodeError struct{ Err error }

// Error says why the value could not be decoded. Decoders like to quote what they could not read: of JSON of the
// wrong type it tells the kind, the Go type, the field and the place, of a time the expected form, and of an error
// that it does not know only the type.
func (e *DecodeError) Error() string {
	return "ottla: cannot decode the record's value: " + withoutContents(e.Err)
}

// Unwrap returns the decoder's error.
func (e *DecodeError) Unwrap() error { return e.Err }

// reason is an error of our own decoders: text without contents.
type reason string

func (r reason) Error() string { return string(r) }

// wrapper is the type of what fmt.Errorf wraps; its name tells nothing.
var wrapper = reflect.TypeOf(fmt.Errorf("%w", io.EOF))

// withoutContents describes a decoder's error. What wraps an error that is known adds nothing: its text is unknown.
func withoutContents(err error) string {
	var (
		own    reason
		typ    *json.UnmarshalTypeError
		syntax *json.SyntaxError
		clock  *time.ParseError
	)
	switch {
	case errors.As(err, &own):
		return own.Error()
	case errors.As(err, &typ):
		return wrongType(typ)
	case errors.As(err, &syntax):
		return syntax.Error() // one character at most
	case errors.As(err, &clock):
		return fmt.Sprintf("a time cannot be read as %q", clock.Layout) // its message quotes what was left over
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF.Error()
	case errors.Is(err, io.EOF):
		return io.EOF.Error()
	}
	for reflect.TypeOf(err) == wrapper {
		err = errors.Unwrap(err)
	}
	return fmt.Sprintf("%T (its text may quote the record and is left out here)", err)
}

// wrongType is json's own text with a kind in the place of a value such as "number 4111". The field's names are those
// of the Go type: json leaves a map's keys out of them.
func wrongType(e *json.UnmarshalTypeError) string {
	kind, _, _ := strings.Cut(e.Value, " ")
	if !slices.Contains([]string{"array", "bool", "null", "number", "object", "string"}, kind) {
		kind = "value" // an UnmarshalJSON of somebody's own
	}
	into := "Go value"
	if e.Struct != "" || e.Field != "" {
		into = "Go struct field " + e.Struct + "." + e.Field
	}
	return fmt.Sprintf("json: cannot unmarshal %s into %s of type %v (after byte %d)", kind, into, e.Type, e.Offset)
}
