package actors

import (
	"slices"

	"github.com/ottla-go/ottla/messages"
)

// attempt is the record that is with the user.
type attempt struct {
	record    *messages.Record
	openings  uint64 // of the breaker, when it began
	probe     bool   // its success closes the breaker
	limit     *limit // nil: it may take as long as it likes
	returned  bool   // the handler, or Receive, has returned
	hasResult bool   // a handler returned result
	result    *outcome
	kept      bool
	answered  bool
	outcome   *outcome
	inquiries []*inquiry // what somebody else was asked about it
}

// end: the handler, or Receive, has returned, or has been ended by a panic.
func (a *attempt) end() {
	a.returned = true
	switch {
	case a.answered:
	case a.hasResult && (a.result != nil || !a.kept):
		a.answered, a.outcome = true, a.limit.judged(a.result)
	case a.kept && a.limit.exceeded():
		a.answered, a.outcome = true, a.limit.timedOut(nil)
	case !a.kept:
		a.answered, a.outcome = true, unanswered
	}
}

// waits: it was completed with an error, which is not decided about while the supervisor is at another one. User code is
// not at it any more.
func (a *attempt) waits() bool { return a.returned && a.answered }

// clear writes no pointer that is nil already: during a collection each such write costs.
func (a *attempt) clear() {
	a.record = nil
	if a.limit != nil {
		a.limit.over()
		a.limit = nil
	}
	if a.inquiries != nil {
		a.withdraw()
	}
	a.probe, a.returned, a.hasResult, a.kept, a.answered = false, false, false, false, false
	if a.result != nil {
		a.result = nil
	}
	if a.outcome != nil {
		a.outcome = nil
	}
}

// inquire notes an inquiry about the attempt, to be given up with it. It forgets those that have ended already: there may
// be many, one after the other.
func (a *attempt) inquire(i *inquiry) {
	a.inquiries = append(slices.DeleteFunc(a.inquiries, (*inquiry).ended), i)
}

// withdraw gives up all inquiries about the attempt: nobody waits for their answers.
func (a *attempt) withdraw() {
	for _, i := range a.inquiries {
		i.over()
	}
	a.inquiries = nil
}
