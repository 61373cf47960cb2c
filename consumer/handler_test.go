package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ottla-go/ottla/messages"
)

type order struct{ Cents int }

func TestTypedHandlers(t *testing.T) {
	errHandled := errors.New("handled")
	var got order
	handle := func(_ context.Context, _ *Record, o order) error { got = o; return errHandled }
	tests := []struct {
		name    string
		handler Handler
		value   string
		want    order
		decodes bool
	}{
		{"JSON", JSON(handle), `{"Cents":5}`, order{5}, true},
		{"JSON, broken", JSON(handle), `{"Cents":`, order{}, false},
		{"JSON, of another type", JSON(handle), `[1]`, order{}, false},
		{"envelope", Envelope(handle), `{"metaData":{"requestId":"r"},"value":{"Cents":7}}`, order{7}, true},
		{"envelope missing", Envelope(handle), `{"Cents":7}`, order{}, false},
		{"own decoder", Typed(func(r *Record) (order, error) { return order{len(r.Value)}, nil }, handle), "abc", order{3}, true},
		{"own decoder fails", Typed(func(*Record) (order, error) { return order{}, errors.New("no") }, handle), "abc", order{}, false},
		{"own decoder fails as ours do", Typed(messages.DecodeJSON[order], handle), "abc", order{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got = order{}
			err := tt.handler(t.Context(), &Record{Topic: "orders", Value: []byte(tt.value)})
			var decode *messages.DecodeError
			switch {
			case tt.decodes && !errors.Is(err, errHandled):
				t.Errorf("the handler was not called: %v", err)
			case !tt.decodes && (!errors.As(err, &decode) || messages.ClassOf(err) != messages.ClassDecode):
				t.Errorf("got %v, want a *messages.DecodeError", err)
			case !tt.decodes && errors.As(decode.Err, new(*messages.DecodeError)):
				t.Errorf("wrapped twice: %v", err)
			}
			if got != tt.want {
				t.Errorf("handled %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Whatever a decoder says of a record stays inside the error.
func TestADecodersTextIsNotShown(t *testing.T) {
	handle := func(context.Context, *Record, order) error { return nil }
	errOwn := errors.New("letters")
	for name, err := range map[string]error{
		"own":     errOwn,
		"wrapped": fmt.Errorf("letters: %w", &messages.DecodeError{Err: errOwn}),
		"known":   &messages.DecodeError{Err: errOwn},
	} {
		got := Typed(func(*Record) (order, error) { return order{}, err }, handle)(t.Context(), &Record{})
		if got == nil || strings.Contains(got.Error(), "letters") || !errors.Is(got, errOwn) {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestTombstonesReachOnlyHandlersThatTakeThem(t *testing.T) {
	tombstone := &Record{Topic: "orders"}
	called := false
	pointer := func(_ context.Context, _ *Record, o *order) error { called = o == nil; return nil }
	for name, h := range map[string]Handler{"JSON": JSON(pointer), "Envelope": Envelope(pointer)} {
		called = false
		if err := h(t.Context(), tombstone); err != nil || !called {
			t.Errorf("%s: %v, called with nil: %v", name, err, called)
		}
	}
	plain := JSON(func(context.Context, *Record, order) error { t.Error("called"); return nil })
	if err := plain(t.Context(), tombstone); messages.ClassOf(err) != messages.ClassDecode {
		t.Errorf("got %v", err)
	}
}

func TestWithoutAFunctionThereIsNoHandler(t *testing.T) {
	if JSON[order](nil) != nil || Envelope[order](nil) != nil || Typed(messages.DecodeJSON[order], nil) != nil ||
		Typed(nil, func(context.Context, *Record, order) error { return nil }) != nil {
		t.Error("a handler that can only panic")
	}
}
