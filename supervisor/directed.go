package supervisor

import (
	"errors"
	"fmt"
	"strings"
)

// directedError is the failure made by [Directed].
type directedError struct {
	err error
	do  []Directive
}

// Error is the text of the wrapped failure, or says what was asked for.
func (e *directedError) Error() string {
	if e.err == nil {
		return "ottla: directed: " + texts(e.do)
	}
	return e.err.Error()
}

// Unwrap returns the failure itself.
func (e *directedError) Unwrap() error { return e.err }

// Directed wraps a failure with what is to be done about it, for a handler that knows better than the table:
//
//	return supervisor.Directed(err, supervisor.Retry(supervisor.Quick()).Times(2), supervisor.Skip())
//
// The steps are those of a rule and come before all rules; they count per record as long as the handler asks for the same
// ones, and Within is not for them: it counts over many records. Steps that [Policy.Validate] would refuse in a rule (none at
// all, one without a budget before the last) are not carried out: the failure is an ordinary one then, and the rule's name in
// status and log says why. A plain strategy in the place of the policy does not know of Directed.
func Directed(err error, do ...Directive) error { return &directedError{err, do} }

// directed is the rule that a failure's error brings along, if it does; err is what is wrong with it.
func directed(cause error) (r Rule, ok bool, err error) {
	var d *directedError
	if !errors.As(cause, &d) {
		return Rule{}, false, nil
	}
	r = Rule{Name: "directed by the handler", On: Any(), Do: d.do}
	for k, step := range r.Do {
		if step.budget.windowed {
			return Rule{}, true, fmt.Errorf("step %d (%s): Within counts over the records of a partition and belongs into a Policy", k+1, step.action)
		}
	}
	return r, true, errors.Join(r.faults()...)
}

func texts(steps []Directive) string {
	all := make([]string, len(steps))
	for i, d := range steps {
		all[i] = d.String()
	}
	return strings.Join(all, "; then ")
}
