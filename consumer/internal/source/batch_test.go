package source

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/messages"
)

var epoch = time.UnixMilli(1_700_000_000_000)

// wireBatch makes a record batch of n records at first, first+step, ….
func wireBatch(first int64, n, step int) *sarama.RecordBatch {
	b := &sarama.RecordBatch{Version: 2, FirstOffset: first, FirstTimestamp: epoch, MaxTimestamp: epoch.Add(time.Hour), ProducerID: -1}
	for i := range n {
		b.Records = append(b.Records, &sarama.Record{
			OffsetDelta: int64(i * step), TimestampDelta: time.Duration(i) * time.Millisecond,
			Key: []byte(strconv.Itoa(int(first) + i*step)), Value: []byte("v"),
		})
		b.LastOffsetDelta = int32(i * step)
	}
	return b
}

func block(batches ...*sarama.RecordBatch) *sarama.FetchResponseBlock {
	b := &sarama.FetchResponseBlock{}
	for _, rb := range batches {
		b.RecordsSet = append(b.RecordsSet, &sarama.Records{RecordBatch: rb})
	}
	return b
}

// TestBatchReadsInPlace reads a batch of many wire batches in every order, from several goroutines, and compares it
// with a plain list of its records.
func TestBatchReadsInPlace(t *testing.T) {
	for round := range 50 {
		var wires []*sarama.RecordBatch
		var want []int64
		at := int64(100)
		from := at + rand.Int64N(5)
		for range 1 + rand.IntN(20) {
			b := wireBatch(at, 1+rand.IntN(5), 1+rand.IntN(3))
			for _, r := range b.Records {
				if o := at + r.OffsetDelta; o >= from {
					want = append(want, o)
				}
			}
			at = b.LastOffset() + 1 + rand.Int64N(3)
			wires = append(wires, b)
		}
		h := filter(block(wires...), from, true)
		b := &batch{topic: "t", partition: 3, wires: h.wires, records: h.records}
		if b.Len() != len(want) {
			t.Fatalf("round %d: %d records, want %d", round, b.Len(), len(want))
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 3 * len(want) {
					i := rand.IntN(len(want))
					var r messages.Record
					b.Read(i, &r)
					if b.Offset(i) != want[i] || r.Offset != want[i] || string(r.Key) != strconv.FormatInt(want[i], 10) || r.Topic != "t" || r.Partition != 3 {
						t.Errorf("record %d is %v with key %s, want offset %d", i, &r, r.Key, want[i])
					}
					if b.Size(i) != r.Size() {
						t.Errorf("record %d counts for %d bytes in the batch, for %d read", i, b.Size(i), r.Size())
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestBatchHeaders(t *testing.T) {
	rb := wireBatch(0, 2, 1)
	rb.Records[0].Headers = []*sarama.RecordHeader{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a"), Value: nil}, {Key: []byte("b"), Value: []byte("")}}
	h := filter(block(rb), 0, true)
	b := &batch{wires: h.wires, records: h.records}
	var r messages.Record
	b.Read(0, &r)
	if len(r.Headers) != 3 || r.Headers[0].Key != "a" || string(r.Headers[0].Value) != "1" || r.Headers[1].Value != nil || r.Headers[2].Key != "b" {
		t.Errorf("headers %v", r.Headers)
	}
	if b.Size(0) != r.Size() {
		t.Errorf("size %d in the batch, %d read", b.Size(0), r.Size())
	}
	b.Read(1, &r)
	if r.Headers != nil {
		t.Errorf("a record without headers was given those of the one before: %v", r.Headers)
	}
}

func TestBatchTimes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*sarama.RecordBatch)
		delta  time.Duration
		want   time.Time
		kind   messages.TimeKind
	}{
		"by the producer":     {func(*sarama.RecordBatch) {}, 5 * time.Millisecond, epoch.Add(5 * time.Millisecond), messages.CreateTime},
		"by the broker":       {func(b *sarama.RecordBatch) { b.LogAppendTime = true }, 5 * time.Millisecond, epoch.Add(time.Hour), messages.LogAppendTime},
		"none":                {func(b *sarama.RecordBatch) { b.FirstTimestamp = time.Time{} }, 0, time.Time{}, messages.CreateTime},
		"none of the first":   {func(b *sarama.RecordBatch) { b.FirstTimestamp = time.Time{} }, 1001 * time.Millisecond, time.UnixMilli(1000), messages.CreateTime},
		"before there was it": {func(b *sarama.RecordBatch) { b.Version = 0 }, 0, time.Time{}, messages.TimeUnknown},
	} {
		b := wireBatch(0, 1, 1)
		b.Records[0].TimestampDelta = c.delta
		c.change(b)
		if got, kind := timestamp(b, b.Records[0]); !got.Equal(c.want) || kind != c.kind {
			t.Errorf("%s: %v %v, want %v %v", name, got, kind, c.want, c.kind)
		}
	}
}

// TestBatchCostsNothingPerRecord holds the promise that only headers cost an allocation.
func TestBatchCostsNothingPerRecord(t *testing.T) {
	h := filter(block(wireBatch(0, 100, 1), wireBatch(100, 100, 1)), 0, true)
	b := &batch{topic: "t", wires: h.wires, records: h.records}
	var r messages.Record
	sum := 0
	if n := testing.AllocsPerRun(10, func() {
		for i := range b.Len() {
			b.Read(i, &r)
			sum += b.Size(i) + int(b.Offset(i))
		}
	}); n > 0 {
		t.Errorf("%v allocations for 200 records", n)
	}
	if offsets := []int64{b.Offset(0), b.Offset(199)}; !slices.Equal(offsets, []int64{0, 199}) {
		t.Errorf("offsets %v", offsets)
	}
}
