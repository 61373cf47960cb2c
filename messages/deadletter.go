package messages

import "time"

// DeadLetter is a record that is given up by writing it to another place, with what is to be known of it there. The record
// and the failure belong to the consumer: copy what is kept beyond the call that has them as an argument.
type DeadLetter struct {
	To      string  // the place: of the default writer a topic
	Record  *Record // the attempt that failed; its Context may have ended, or never end: use the one that the writer is called with
	Failure Failure // Class 0 and a nil Err where an operator's command came before any failure in this claim
	Rule    string  // the rule that decided so; empty: an operator did
	By      string  // the operator; empty: a rule did
	Group   string
	Time    time.Time
}
