package deadletters

import (
	"time"

	"github.com/ottla-go/ottla/consumer/internal/deadletter"
	"github.com/ottla-go/ottla/messages"
)

// Letter is one dead letter. What its headers do not say, or say in a way that cannot be read, is zero.
type Letter struct {
	// Record is the letter as it stands in its topic: Topic, Partition and Offset are its own place, Key and Value those of
	// the record that failed, Headers those of both.
	Record *messages.Record
	// Origin is the place of the record that failed first; a letter that is dead-lettered again keeps it.
	Origin Place
	// From is the place of the record that this very letter was made of, as topic/partition@offset.
	From string
	// Time is the timestamp of the record that failed first.
	Time time.Time
	// Group is the consumer group that gave the record up.
	Group string
	// Attempts are its deliveries there.
	Attempts int
	// Class and Error are of the last failure, Stack is that of a panic. Error and Stack are cut, see
	// [github.com/ottla-go/ottla/messages.DeadLetter].
	Class, Error, Stack string
	// FirstFailed and Written say when the record failed first, and when the letter was written.
	FirstFailed, Written time.Time
	RequestID            string
	// Rule of the policy that wrote the letter; or By, an operator.
	Rule, By string
	// Count says how often the record was dead-lettered; 1 for the first time.
	Count int
}

// letter reads a record's headers; ok is false where they are those of no dead letter.
func letter(r *messages.Record) (l *Letter, ok bool) {
	h, ok := deadletter.Read(r.Headers)
	if !ok {
		return nil, false
	}
	return &Letter{
		Record: r, Origin: Place{h.Topic, h.Partition, h.Offset}, From: h.From, Time: h.Time,
		Group: h.Group, Attempts: h.Attempts, Class: h.Class, Error: h.Error, Stack: h.Stack,
		FirstFailed: h.First, Written: h.Written, RequestID: h.RequestID, Rule: h.Rule, By: h.By, Count: h.Count,
	}, true
}

// Place is where the letter stands.
func (l *Letter) Place() Place { return Place{l.Record.Topic, l.Record.Partition, l.Record.Offset} }

// Headers are those of the record that failed, without the letter's.
func (l *Letter) Headers() []messages.Header { return deadletter.Own(l.Record.Headers) }
