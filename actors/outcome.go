package actors

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"

	"github.com/ottla-go/ottla/messages"
)

// outcome is an error with all that the mailbox asks of it. Error, Unwrap, Is and As are user code: one that calls the
// mailbox would wait for its own lock, and one that panics (a nil *os.PathError in an error is enough) would do so
// under it, or in the supervisor. They are therefore asked once, where the outcome comes in; success is nil and costs
// nothing.
type outcome struct {
	err    error
	text   string
	class  messages.Class
	seeks  bool // a SeekTo. A panic asks for nothing, whatever its value wraps
	offset int64
}

var unanswered = &outcome{
	err: messages.ErrUnanswered, text: messages.ErrUnanswered.Error(), class: messages.ClassUnanswered,
}

// examine asks err. It must not be called under a lock. An error that panics is a panic of the code that answered it.
func examine(err error) *outcome {
	if err == nil {
		return nil
	}
	o := &outcome{err: err}
	if failure := guard(o.ask); failure != nil {
		broken := unsound(err, failure)
		return &outcome{err: broken, text: broken.Error(), class: messages.ClassPanic}
	}
	return o
}

// Sound answers err, or a *messages.PanicError in its place if it panics when it is asked for its text or its causes.
// It is for errors of user code that do not come through a mailbox: logs and policies would panic at them.
func Sound(err error) error {
	if o := examine(err); o != nil {
		return o.err
	}
	return nil
}

// ask asks also what only a policy or a log will ask. Nothing is, or can be had as, an unmatched: the search for it
// goes through every cause, where another one would end at the first that matches.
func (o *outcome) ask() {
	var (
		seek     *messages.SeekError
		hint     *messages.RetryError
		panicked *messages.PanicError
		nobody   *unmatched
	)
	o.text, o.class = o.err.Error(), messages.ClassOf(o.err)
	_, _ = errors.Is(o.err, &unmatched{}), errors.As(o.err, &nobody)
	if errors.As(o.err, &seek) && o.class != messages.ClassPanic {
		o.seeks, o.offset = true, seek.Offset
	}
	if errors.As(o.err, &hint) {
		_ = hint.After // a nil one inside of another error panics only here
	}
	if errors.As(o.err, &panicked) {
		_ = panicked.Stack
	}
}

type unmatched struct{ _ byte } // of some size: pointers to nothing can be equal

// Error is there to make it an error.
func (*unmatched) Error() string { return "" }

// unsound stands in the place of an error that panics. Its text is made of types alone where user code would be asked.
func unsound(err error, failure *messages.PanicError) *messages.PanicError {
	var value any = err
	stack := failure.Stack
	if p, ok := err.(*messages.PanicError); ok && p != nil { //nolint:errorlint // As would ask the error again
		value, stack = p.Value, p.Stack
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer && v.IsNil() {
		return &messages.PanicError{Stack: stack, Value: fmt.Sprintf("the error is a nil %T: in an error it is not nil, and panics when it is asked; return nil instead", value)}
	}
	why := fmt.Sprintf("%T", failure.Value)
	if failure.Value == any(messages.Goexit) {
		why = string(messages.Goexit)
	}
	switch v := failure.Value.(type) {
	case runtime.Error:
		why = v.Error()
	case string:
		why = v
	}
	return &messages.PanicError{Stack: stack, Value: fmt.Sprintf("the error is a %T, and panics when it is asked: %s", value, why)}
}

// hookFailed is what came of the Assigned hook.
func hookFailed(err error) *outcome {
	o := examine(err)
	if o == nil {
		return nil
	}
	if o.class != messages.ClassPanic {
		o.class = messages.ClassHook
	}
	o.err = fmt.Errorf("the Assigned hook: %w", o.err)
	o.text = o.err.Error()
	return o
}
