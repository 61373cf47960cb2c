package consumertest

import (
	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// batch is what one fetch of the scripted source brings.
type batch []*messages.Record

var _ actors.Batch = batch{}

func (b batch) Len() int           { return len(b) }
func (b batch) Offset(i int) int64 { return b[i].Offset }
func (b batch) Size(i int) int     { return b[i].Size() }

func (b batch) Read(i int, r *messages.Record) {
	from := b[i]
	r.Topic, r.Partition, r.Offset = from.Topic, from.Partition, from.Offset
	r.Key, r.Value, r.Headers = from.Key, from.Value, from.Headers
	r.Time, r.TimeKind = from.Time, from.TimeKind
}
