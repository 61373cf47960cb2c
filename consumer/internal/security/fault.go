package security

import "fmt"

// Fault is one setting that cannot work.
type Fault struct {
	Field   string // as in the consumer's configuration: TLS.CAFile
	Value   string // what it is set to; never a secret
	Problem string
	Remedy  string
	Err     error // the cause, or nil
}

// Error names field, value, problem and remedy.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s = %q: %s: %s", f.Field, f.Value, f.Problem, f.Remedy)
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }
