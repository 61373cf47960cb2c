package conformance

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// TestOddRecords: what no producer of one's own would write comes as it was written, and a record that is odd costs no
// other: 100,000 headers, a megabyte of hardly anything else, the same key twice, empty and absent keys, values and header
// values, bytes that are no UTF-8, and records of 1 MiB.
func TestOddRecords(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	random := rand.New(rand.NewPCG(7, 7))
	noise := make([]byte, 1<<20-2048) // with its batch it is just within a broker's default
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	many := make([]kgo.RecordHeader, 100_000)
	for i := range many {
		many[i] = kgo.RecordHeader{Key: fmt.Sprint(i % 5000), Value: []byte{byte(i)}}
	}
	invalid := []byte("\xff\xfe\xc0\x80\xed\xa0\x80\x00")
	odd := []*kgo.Record{
		{Value: []byte("plain")},
		{Headers: many, Value: []byte("headers")},
		{Key: []byte{}, Value: []byte("an empty key")},
		{Key: nil, Value: nil},
		{Key: []byte("tombstone"), Value: nil},
		{Key: []byte{}, Value: []byte{}},
		{Key: invalid, Value: invalid, Headers: []kgo.RecordHeader{{Key: string(invalid), Value: invalid}, {Key: messages.RequestIDHeader, Value: invalid}}},
		{Headers: []kgo.RecordHeader{{Key: "", Value: nil}, {Key: "", Value: []byte{}}, {Key: "k", Value: nil}}},
		{Key: []byte("large"), Value: noise},
		{Key: noise[:len(noise)/2], Value: []byte("a large key")},
		{Value: noise},
		{Value: []byte(`{"metaData":{"requestId":null},"value":`)},
		{Value: []byte("plain again")},
	}
	client := k.client(kgo.ProducerBatchMaxBytes(1<<20-100), kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer client.Close()
	for _, r := range odd {
		r.Topic = topic
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var got []*consumer.Record
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(got) }
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Handler = func(_ context.Context, r *consumer.Record) error {
		if r.Attempt == 0 && r.Offset%2 == 1 {
			return errStumble // what comes again is a copy
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Clone())
		return nil
	}
	a := start(t, "a", cfg)
	eventually(t, "all came", func() bool { return count() >= len(odd) })
	a.leave()
	if len(got) != len(odd) {
		t.Fatalf("%d records came, want %d", len(got), len(odd))
	}
	for i, r := range got {
		sameRecord(t, r, odd[i])
		if r.RequestID() == "" {
			t.Errorf("%v has no request id", r)
		}
	}
	if id := got[6].RequestID(); id != string(invalid) {
		t.Errorf("the request id is %q, want the header's bytes", id)
	}
}

// TestOddRecordsAreCounted: a header that holds nothing takes two bytes on the wire and 56 in memory. Records that consist
// of such headers count for what they take, or a backlog that is bounded in bytes takes any number of them, and the process
// does not outlive a producer that makes a mistake. Here each takes 40 KB and counts for 1.1 MB: two of them fill a backlog
// of 2 MiB.
func TestOddRecordsAreCounted(t *testing.T) {
	const records, most = 12, 4 // two, and what one response brings in addition
	k := cluster(t)
	topic := k.topic(1)
	client := k.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer client.Close()
	for range records {
		put(t, client, &kgo.Record{Topic: topic, Headers: make([]kgo.RecordHeader, 20_000)})
	}
	g := newGate()
	defer g.release()
	var got seen
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Backlog.Bytes = 2 << 20
	cfg.Fetch.PartitionBytes = 48 << 10
	cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
		<-g.open
		return got.handle(ctx, rec)
	}
	a := start(t, "a", cfg)
	a.owns(1)
	deepest := 0
	for same := 0; same < 100; same++ { // some time in which nothing comes any more
		if depth := a.partitions()[0].Depth; depth != deepest || depth == 0 {
			deepest, same = depth, 0
		}
		work(t.Context().Done(), 5*time.Millisecond)
	}
	if deepest > most {
		t.Errorf("%d records wait, want at most %d", deepest, most)
	}
	g.release()
	eventually(t, "all came", func() bool { return len(got.all()) == records })
	a.leave()
}

// sameRecord compares what a handler got with what another client produced or read.
func sameRecord(t testing.TB, got *consumer.Record, want *kgo.Record) {
	t.Helper()
	same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
	if got.Offset != want.Offset || got.Partition != want.Partition || !same(got.Key, want.Key) || !same(got.Value, want.Value) {
		t.Errorf("%v: key %.40q and value %.40q, want offset %d, %.40q and %.40q", got, got.Key, got.Value, want.Offset, want.Key, want.Value)
	}
	if !got.Time.Equal(want.Timestamp) {
		t.Errorf("%v: time %v, want %v", got, got.Time, want.Timestamp)
	}
	if len(got.Headers) != len(want.Headers) {
		t.Errorf("%v: %d headers, want %d", got, len(got.Headers), len(want.Headers))
		return
	}
	for i, h := range got.Headers {
		if w := want.Headers[i]; h.Key != w.Key || !same(h.Value, w.Value) {
			t.Errorf("%v: header %d is %q, want %q", got, i, h, w)
		}
	}
}
