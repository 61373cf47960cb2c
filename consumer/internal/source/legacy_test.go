package source

import (
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/messages"
)

func message(version int8, offset int64, at time.Time, value string) *sarama.MessageBlock {
	return &sarama.MessageBlock{Offset: offset, Msg: &sarama.Message{Version: version, Timestamp: at, Value: []byte(value)}}
}

func wrapped(version int8, offset int64, logAppend bool, inner ...*sarama.MessageBlock) *sarama.MessageBlock {
	return &sarama.MessageBlock{Offset: offset, Msg: &sarama.Message{
		Version: version, Codec: sarama.CompressionGZIP, LogAppendTime: logAppend, Timestamp: epoch.Add(time.Minute), Set: &sarama.MessageSet{Messages: inner},
	}}
}

// TestOldFormats: a log that was begun before Kafka 0.11 holds messages of format 0 and 1, plain and wrapped.
func TestOldFormats(t *testing.T) {
	old := &sarama.FetchResponseBlock{RecordsSet: []*sarama.Records{{MsgSet: &sarama.MessageSet{Messages: []*sarama.MessageBlock{
		message(0, 0, time.Time{}, "a"),
		message(1, 1, epoch, "b"),
		wrapped(0, 4, false, message(0, 2, time.Time{}, "c"), message(0, 4, time.Time{}, "d")), // absolute offsets
		wrapped(1, 8, false, message(1, 0, epoch, "e"), message(1, 3, epoch.Add(time.Second), "f")),
		wrapped(1, 9, true, message(1, 0, epoch, "g")),
	}}}, {RecordBatch: wireBatch(20, 1, 1)}}}
	h := filter(old, 1, true)
	b := &batch{topic: "t", wires: h.wires, records: h.records}
	want := []struct {
		offset int64
		value  string
		at     time.Time
		kind   messages.TimeKind
	}{
		{1, "b", epoch, messages.CreateTime},
		{2, "c", time.Time{}, messages.TimeUnknown},
		{4, "d", time.Time{}, messages.TimeUnknown},
		{5, "e", epoch, messages.CreateTime},
		{8, "f", epoch.Add(time.Second), messages.CreateTime},
		{9, "g", epoch.Add(time.Minute), messages.LogAppendTime},
		{20, "v", epoch, messages.CreateTime},
	}
	if b.Len() != len(want) || h.next != 21 {
		t.Fatalf("%d records, next %d; want %d, 21", b.Len(), h.next, len(want))
	}
	for i, w := range want {
		var r messages.Record
		b.Read(i, &r)
		if r.Offset != w.offset || string(r.Value) != w.value || !r.Time.Equal(w.at) || r.TimeKind != w.kind {
			t.Errorf("record %d: %v %s %v %v, want %+v", i, &r, r.Value, r.Time, r.TimeKind, w)
		}
	}
}

// TestOldFormatCut: a message that did not fit is asked for again, apart.
func TestOldFormatCut(t *testing.T) {
	cut := &sarama.FetchResponseBlock{RecordsSet: []*sarama.Records{{MsgSet: &sarama.MessageSet{PartialTrailingMessage: true}}}}
	if h := filter(cut, 7, true); !h.torn || h.next != 7 {
		t.Errorf("torn %v, next %d; want true, 7", h.torn, h.next)
	}
}
