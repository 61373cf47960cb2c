package actors

import (
	"context"
	"fmt"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// sample is a record of a test: its offset and its value. The rest follows from them.
type sample struct {
	offset int64
	value  string
}

// samples is a Batch.
type samples []sample

func (s samples) Len() int           { return len(s) }
func (s samples) Offset(i int) int64 { return s[i].offset }
func (s samples) Size(i int) int     { return len(s[i].value) + messages.RecordOverhead }
func (s samples) Read(i int, r *messages.Record) {
	r.Topic, r.Partition, r.Offset = "orders", 3, s[i].offset
	r.Value = []byte(s[i].value)
	r.Time = time.Unix(s[i].offset, 0)
}

// from makes a batch of the offsets.
func from(offsets ...int64) samples {
	s := make(samples, len(offsets))
	for i, o := range offsets {
		s[i] = sample{o, fmt.Sprintf("value %d", o)}
	}
	return s
}

// upTo makes a batch of the offsets first to last.
func upTo(first, last int64) samples {
	var s samples
	for o := first; o <= last; o++ {
		s = append(s, sample{o, fmt.Sprintf("value %d", o)})
	}
	return s
}

// delivered is the record that a mailbox would make of what a backlog gave out.
func delivered(t Taken) *messages.Record {
	r := t.Again()
	if r == nil {
		r = new(messages.Record)
		t.Read(r)
	}
	messages.NewDelivery(context.Background(), nil).Bind(r)
	return r
}
