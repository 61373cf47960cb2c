package source

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/messages"
)

// noise reads an answer of a broker out of a fuzzer's bytes: any bytes are one. When they are used up it reads zeros.
type noise struct{ raw []byte }

func (s *noise) byte() (b byte) {
	if len(s.raw) > 0 {
		b, s.raw = s.raw[0], s.raw[1:]
	}
	return b
}

// bytes are nil for a length of 255.
func (s *noise) bytes() []byte {
	n := int(s.byte())
	if n == 255 {
		return nil
	}
	n = min(n, len(s.raw))
	b := bytes.Clone(s.raw[:n:n])
	s.raw = s.raw[n:]
	if b == nil {
		b = []byte{}
	}
	return b
}

func (s *noise) record(delta int64) *sarama.Record {
	r := &sarama.Record{OffsetDelta: delta, TimestampDelta: time.Duration(int8(s.byte())) * time.Millisecond, Key: s.bytes(), Value: s.bytes()}
	for range s.byte() % 4 {
		r.Headers = append(r.Headers, &sarama.RecordHeader{Key: s.bytes(), Value: s.bytes()})
	}
	return r
}

// batch is one with holes, perhaps of a transaction, perhaps a control batch with any key, perhaps without records.
func (s *noise) batch(first int64) *sarama.RecordBatch {
	flags := s.byte()
	b := &sarama.RecordBatch{
		Version: 2, FirstOffset: first, ProducerID: int64(flags >> 6), IsTransactional: flags&1 > 0, Control: flags&2 > 0,
		LogAppendTime: flags&4 > 0, PartialTrailingRecord: flags&56 == 56,
	}
	if flags&8 > 0 {
		b.FirstTimestamp, b.MaxTimestamp = epoch, epoch.Add(time.Hour)
	}
	delta := int64(-1)
	for range s.byte() % 5 {
		delta += 1 + int64(s.byte()%3)
		b.Records = append(b.Records, s.record(delta))
	}
	b.LastOffsetDelta = int32(max(0, delta) + int64(s.byte()%3))
	return b
}

// old is a message of the formats 0 and 1, plain or wrapped.
func (s *noise) old(offset int64) *sarama.MessageSet {
	m := &sarama.Message{Version: int8(s.byte() & 1), Key: s.bytes(), Value: s.bytes(), Timestamp: epoch}
	set := &sarama.MessageSet{Messages: []*sarama.MessageBlock{{Offset: offset, Msg: m}}}
	if n := int(s.byte() % 4); n > 0 {
		m.Set = &sarama.MessageSet{}
		for i := range n {
			at := offset - int64(n-1-i)
			if m.Version > 0 {
				at = int64(i)
			}
			m.Set.Messages = append(m.Set.Messages, &sarama.MessageBlock{Offset: at, Msg: &sarama.Message{Version: m.Version, Value: s.bytes()}})
		}
	}
	return set
}

// answer is a block of a fetch response whose offsets ascend.
func (s *noise) answer() (b *sarama.FetchResponseBlock, from int64) {
	b = &sarama.FetchResponseBlock{Partial: s.byte()&1 > 0}
	at := int64(10)
	for range s.byte() % 6 {
		if s.byte()%4 == 0 {
			at += 4
			b.RecordsSet = append(b.RecordsSet, &sarama.Records{MsgSet: s.old(at)})
			at++
			continue
		}
		rb := s.batch(at)
		at = rb.LastOffset() + 1
		b.RecordsSet = append(b.RecordsSet, &sarama.Records{RecordBatch: rb})
	}
	for range s.byte() % 3 {
		b.AbortedTransactions = append(b.AbortedTransactions, &sarama.AbortedTransaction{ProducerID: int64(s.byte() % 4), FirstOffset: int64(s.byte() % 64)})
	}
	return b, int64(s.byte() % 64)
}

// FuzzHarvest: whatever an answer holds, reading it in place agrees with reading it record by record, nothing below the
// offset that was asked for is delivered, and the next request never goes back or leaves out what was not delivered.
func FuzzHarvest(f *testing.F) {
	f.Add([]byte(nil), true)
	f.Add([]byte{0, 2, 1, 9, 3, 0, 5, 3, 'k', 'e', 'y', 5, 'v', 'a', 'l', 'u', 'e', 2, 1, 'h', 255, 0, 2, 0xff, 0xfe, 2, 0, 255, 255, 0}, false)
	f.Add([]byte{0, 3, 1, 0x41, 2, 0, 0, 1, 'a', 1, 'b', 0, 1, 0, 0, 0, 0, 1, 0x43, 1, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 10, 0}, true)
	f.Add([]byte{1, 1, 0, 1, 1, 'k', 1, 'v', 3, 1, 'a', 1, 'b', 1, 'c', 0, 12}, true)
	f.Add(slices.Repeat([]byte{3, 0x3b, 2}, 30), true)
	f.Fuzz(func(t *testing.T, raw []byte, committed bool) {
		block, from := (&noise{raw}).answer()
		h := filter(block, from, committed)
		if h.next < from {
			t.Fatalf("asked from %d, next is %d", from, h.next)
		}
		var want []messages.Record // what was delivered, by each wire batch's own count
		for _, w := range h.wires {
			for _, r := range w.batch.Records[w.skip:] {
				want = append(want, messages.Record{Offset: w.batch.FirstOffset + r.OffsetDelta, Key: r.Key, Value: r.Value, Headers: plainly(r)})
			}
		}
		if len(want) != h.records {
			t.Fatalf("%d records in the wire batches, %d counted", len(want), h.records)
		}
		if h.records == 0 {
			return
		}
		b := &batch{topic: "t", wires: h.wires, records: h.records}
		last := from - 1
		for i := range b.Len() {
			var got messages.Record
			b.Read(i, &got)
			same(t, &got, &want[i])
			if b.Offset(i) != got.Offset || b.Size(i) != got.Size() {
				t.Errorf("record %d: offset %d and size %d before it is read, %d and %d afterwards", i, b.Offset(i), b.Size(i), got.Offset, got.Size())
			}
			if got.Offset <= last || got.Offset >= h.next {
				t.Errorf("%d comes behind %d, and next is %d", got.Offset, last, h.next)
			}
			last = got.Offset
		}
	})
}

// plainly converts headers one by one.
func plainly(r *sarama.Record) (out []messages.Header) {
	for _, h := range r.Headers {
		out = append(out, messages.Header{Key: string(h.Key), Value: h.Value})
	}
	return out
}

func same(t *testing.T, got, want *messages.Record) {
	t.Helper()
	as := func(a, b messages.Header) bool {
		return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && (a.Value == nil) == (b.Value == nil)
	}
	if got.Offset != want.Offset || !bytes.Equal(got.Key, want.Key) || !bytes.Equal(got.Value, want.Value) || !slices.EqualFunc(got.Headers, want.Headers, as) {
		t.Errorf("%v with %q=%q and %q, want %v with %q=%q and %q", got, got.Key, got.Value, got.Headers, want, want.Key, want.Value, want.Headers)
	}
	if (got.Key == nil) != (want.Key == nil) || (got.Value == nil) != (want.Value == nil) {
		t.Errorf("%v: what is absent and what is empty is mixed up", got)
	}
}
