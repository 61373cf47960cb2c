package messages

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Header is one header of a Kafka record. Kafka allows the same key more than once.
type Header struct {
	Key   string
	Value []byte
}

// TimeKind says who wrote a record's timestamp.
type TimeKind int8

const (
	// TimeUnknown is the kind of a record that no broker delivered, or of message formats without a kind.
	TimeUnknown TimeKind = iota
	// CreateTime: the producer wrote it.
	CreateTime
	// LogAppendTime: the broker wrote it when it appended the record.
	LogAppendTime
)

// String names the kind as Kafka's documentation does.
func (k TimeKind) String() string {
	switch k {
	case CreateTime:
		return "CreateTime"
	case LogAppendTime:
		return "LogAppendTime"
	default:
		return "unknown"
	}
}

// Record is one attempt at one Kafka record. Treat its fields as read-only; its methods are safe for
// concurrent use. Key, Value and Headers may alias the response they were fetched in: a Record that is kept
// for long keeps that response in memory, [Record.Clone] does not.
type Record struct {
	Topic     string
	Partition int32
	TimeKind  TimeKind // of Time
	Offset    int64
	// Key is nil when the record has none.
	Key []byte
	// Value is nil for a tombstone.
	Value   []byte
	Headers []Header
	Time    time.Time
	// Attempt is 0 for the first delivery. It is kept over restarts, holds and parks and, where the
	// committed metadata carries it, over owners.
	Attempt int
	// Fence is what the offset store issued for this claim; 0 without a store.
	Fence int64

	attempt   attempt
	requestID atomic.Pointer[string]
}

// Header returns the value of the last header with the key, as Kafka's own clients do.
func (r *Record) Header(key string) (value []byte, ok bool) {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value, true
		}
	}
	return nil, false
}

// Size is what the record counts for in a backlog's bound: key, value, headers, [RecordOverhead], and [HeaderOverhead] for
// each header.
func (r *Record) Size() int {
	n := len(r.Key) + len(r.Value) + RecordOverhead + len(r.Headers)*HeaderOverhead
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// RecordOverhead is what a record counts for beyond its contents, in bytes.
const RecordOverhead = 256

// HeaderOverhead is what a header counts for beyond its contents, in bytes. On the wire an empty one takes two, so that a
// record of a megabyte may have half a million of them, and take 28 MB of memory before it is handled.
const HeaderOverhead = 56

// Clone returns a copy with bytes of its own, which pins no fetch buffer. The copy is detached: its
// Complete answers false, its Context never ends.
func (r *Record) Clone() *Record {
	c := &Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value),
		Time: r.Time, TimeKind: r.TimeKind, Attempt: r.Attempt, Fence: r.Fence,
	}
	if r.Headers != nil {
		c.Headers = make([]Header, len(r.Headers))
		for i, h := range r.Headers {
			c.Headers[i] = Header{Key: h.Key, Value: bytes.Clone(h.Value)}
		}
	}
	c.requestID.Store(r.requestID.Load())
	return c
}

// Redeliver returns a copy with bytes of its own for the next attempt, Attempt one higher, and with the same
// request id. It is for those who deliver records.
func (r *Record) Redeliver() *Record {
	r.RequestID() // one per record, not per attempt: settle it before the copy
	c := r.Clone()
	c.Attempt++
	return c
}

// String gives the record's coordinates, for example orders/3@1042, and never its contents.
func (r *Record) String() string {
	return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset)
}

// GoString is String: %#v, too, must not spill contents into a log.
func (r *Record) GoString() string { return r.String() }

// Format keeps contents out of every fmt verb: protoactor prints messages with %v when it logs them.
func (r *Record) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// LogValue is String, for slog.
func (r *Record) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText is String: whoever encodes what holds a record, as protoactor's log does with an envelope through a
// JSON handler of slog, must not spill contents either. To store a record, encode its fields.
func (r *Record) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
