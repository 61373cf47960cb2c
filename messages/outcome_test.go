package messages

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestClassOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want Class
	}{
		{io.EOF, ClassHandler},
		{RetryAfter(time.Second, io.EOF), ClassHandler},
		{RetryAfter(time.Second, nil), ClassHandler},
		{&PanicError{Value: "x"}, ClassPanic},
		{fmt.Errorf("wrapped: %w", &PanicError{Value: Goexit}), ClassPanic},
		{&PanicError{Value: &DecodeError{io.EOF}}, ClassPanic}, // a panic is one, whatever it carries
		{&PanicError{Value: SeekTo(3)}, ClassPanic},
		{&DecodeError{io.EOF}, ClassDecode},
		{RetryAfter(time.Second, &DecodeError{io.EOF}), ClassDecode},
		{SeekTo(3), ClassSeek},
		{fmt.Errorf("tx: %w", SeekTo(3)), ClassSeek},
		{ErrFenced, ClassFenced},
		{fmt.Errorf("tx: %w", ErrFenced), ClassFenced},
		{ErrUnanswered, ClassUnanswered},
	} {
		if got := ClassOf(tt.err); got != tt.want {
			t.Errorf("%v is of class %v, want %v", tt.err, got, tt.want)
		}
	}
}

func TestOutcomesSayWhatTheyAre(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{SeekTo(42), "ottla: seek to offset 42"},
		{RetryAfter(time.Second, io.EOF), "EOF"},
		{RetryAfter(1500*time.Millisecond, nil), "ottla: retry asked for after 1.5s"},
		{&PanicError{Value: 42, Stack: []byte("stack")}, "panic: 42"},
		{&PanicError{Value: Goexit}, "panic: runtime.Goexit was called"},
		{&DecodeError{io.EOF}, "ottla: cannot decode the record's value: EOF"},
		{&EscalatedError{Failure{Topic: "orders", Partition: 3, Offset: 7, Attempt: 2, Class: ClassPanic, Err: io.EOF}}, "ottla: escalated: orders/3@7 attempt 2 (Panic): EOF"},
		{&DrainError{Blocked: []string{"orders/3@7", "orders/4@8"}}, "ottla: stopped, but 2 handlers did not return in time: orders/3@7, orders/4@8"},
		{&DrainError{Uncommitted: []string{"orders/3"}, Err: io.EOF}, "ottla: stopped, but the last offsets of 1 partitions may not have been committed: orders/3: EOF"},
		{&DrainError{[]string{"orders/4@8"}, []string{"orders/3"}, io.EOF}, "ottla: stopped, but 1 handlers did not return in time: orders/4@8; the last offsets of 1 partitions may not have been committed: orders/3: EOF"},
		{&LeaveError{io.EOF}, "ottla: the group was not left in order: EOF"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestOutcomesUnwrap(t *testing.T) {
	for _, err := range []error{
		RetryAfter(1, io.EOF), &PanicError{Value: io.EOF}, &DecodeError{io.EOF}, &EscalatedError{Failure{Err: io.EOF}},
		&DrainError{Err: io.EOF}, &LeaveError{io.EOF},
		RetryAfter(1, &PanicError{Value: fmt.Errorf("x: %w", io.EOF)}),
	} {
		if !errors.Is(err, io.EOF) {
			t.Errorf("%#v hides its cause", err)
		}
	}
	for _, err := range []error{RetryAfter(1, nil), &PanicError{Value: "EOF"}, &PanicError{}} {
		if errors.Unwrap(err) != nil {
			t.Errorf("%v wraps %v", err, errors.Unwrap(err))
		}
	}
	var hint *RetryError
	if !errors.As(fmt.Errorf("busy: %w", RetryAfter(7, io.EOF)), &hint) || hint.After != 7 {
		t.Errorf("the hint is lost: %+v", hint)
	}
	var seek *SeekError
	if !errors.As(fmt.Errorf("tx: %w", SeekTo(7)), &seek) || seek.Offset != 7 {
		t.Errorf("the offset is lost: %+v", seek)
	}
}
