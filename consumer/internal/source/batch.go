package source

import (
	"sort"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// wire is one record batch as it came over the wire, from its first record that was asked for.
type wire struct {
	batch *sarama.RecordBatch
	first int // number of its first record within the delivery
	skip  int // records of the batch that lie below the offset that was asked for
}

// batch is what one answer had for one partition: a few wire batches, read in place. It implements
// actors.Batch: immutable but for a hint, and safe for concurrent use.
type batch struct {
	topic     string
	partition int32
	wires     []wire // none of them empty
	records   int
	hint      atomic.Int32 // the wire batch that was read last: a backlog reads in order
}

// noRecords is the batch of a delivery that only reports the extent.
type noRecords struct{}

var (
	_ actors.Batch = (*batch)(nil)
	_ actors.Batch = noRecords{}
)

// Len is the number of records.
func (b *batch) Len() int { return b.records }

// Offset of record i.
func (b *batch) Offset(i int) int64 {
	w, r := b.record(i)
	return w.batch.FirstOffset + r.OffsetDelta
}

// Size of record i.
func (b *batch) Size(i int) int {
	_, r := b.record(i)
	return size(r)
}

// Read fills r with record i. Key, Value and the headers' values alias the fetched response.
func (b *batch) Read(i int, r *messages.Record) {
	w, rec := b.record(i)
	r.Topic, r.Partition = b.topic, b.partition
	r.Offset = w.batch.FirstOffset + rec.OffsetDelta
	r.Key, r.Value = rec.Key, rec.Value
	r.Headers = headers(rec)
	r.Time, r.TimeKind = timestamp(w.batch, rec)
}

// record finds record i and its wire batch: with the hint at once when records are read in order, else by
// halving. Two readers that spoil each other's hint cost time, nothing else.
func (b *batch) record(i int) (*wire, *sarama.Record) {
	at := int(b.hint.Load())
	if w := &b.wires[at]; i < w.first || i >= w.first+len(w.batch.Records)-w.skip {
		at = sort.Search(len(b.wires), func(k int) bool { return b.wires[k].first > i }) - 1
		b.hint.Store(int32(at))
	}
	w := &b.wires[at]
	return w, w.batch.Records[w.skip+i-w.first]
}

// size is what a backlog counts for the record: messages.Record.Size without making one.
func size(r *sarama.Record) int {
	n := len(r.Key) + len(r.Value) + messages.RecordOverhead + len(r.Headers)*messages.HeaderOverhead
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

func headers(r *sarama.Record) []messages.Header {
	if len(r.Headers) == 0 {
		return nil
	}
	hs := make([]messages.Header, len(r.Headers))
	for i, h := range r.Headers {
		hs[i] = messages.Header{Key: string(h.Key), Value: h.Value}
	}
	return hs
}

// timestamp of a record, and who wrote it. With LogAppendTime the batch has one time for all of its records,
// in the field that otherwise holds the greatest (Kafka: DefaultRecordBatch.java).
func timestamp(b *sarama.RecordBatch, r *sarama.Record) (time.Time, messages.TimeKind) {
	switch {
	case b.Version == 0: // message format 0 has no timestamps
		return time.Time{}, messages.TimeUnknown
	case b.LogAppendTime:
		return b.MaxTimestamp, messages.LogAppendTime
	case b.FirstTimestamp.IsZero():
		// -1 on the wire, "no timestamp", which sarama reads as the zero time; deltas count from the -1.
		if r.TimestampDelta > 0 {
			return time.UnixMilli(r.TimestampDelta.Milliseconds() - 1), messages.CreateTime
		}
		return time.Time{}, messages.CreateTime
	default:
		return b.FirstTimestamp.Add(r.TimestampDelta), messages.CreateTime
	}
}

// Len is 0.
func (noRecords) Len() int { return 0 }

// Offset is never asked for.
func (noRecords) Offset(int) int64 { return 0 }

// Size is never asked for.
func (noRecords) Size(int) int { return 0 }

// Read is never asked for.
func (noRecords) Read(int, *messages.Record) {}
