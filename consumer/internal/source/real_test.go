package source

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/messages"
)

// realTopic makes a topic of its own on the brokers of OTTLA_TEST_BROKERS (see test/with-kafka.sh), or skips the test.
func realTopic(t *testing.T, partitions int32, configs map[string]string) (addrs []string, topic string) {
	t.Helper()
	list := os.Getenv("OTTLA_TEST_BROKERS")
	if list == "" {
		t.Skip("needs a real Kafka: bash test/with-kafka.sh go test ./consumer/internal/source")
	}
	addrs = strings.Split(list, ",")
	topic = fmt.Sprintf("source-%d", time.Now().UnixNano())
	cl := newProducer(t, addrs)
	q, qt := kmsg.NewCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic()
	qt.Topic, qt.NumPartitions, qt.ReplicationFactor = topic, partitions, 1
	for k, v := range configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = k, &v
		qt.Configs = append(qt.Configs, c)
	}
	q.Topics, q.TimeoutMillis = append(q.Topics, qt), 10_000
	p, err := q.RequestWith(t.Context(), cl)
	if err == nil {
		err = kerr.ErrorForCode(p.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	return addrs, topic
}

// collect reads partition p of topic and keeps offsets with values' lengths and first letters.
func collect(t *testing.T, s *Source, topic string, p int32, limit int) (b *box, all func() []string) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	b = openTopic(t, s, topic, p, 0, limit, func(r *messages.Record) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, digest(r.Offset, r.Key, r.Value))
	})
	return b, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

func digest(offset int64, key, value []byte) string {
	return fmt.Sprintf("%d %s %d %.8s", offset, key, len(value), value)
}

// TestRealKafkaReadsAsKgo: every compression, transactions (committed and aborted), batches larger than the room, on a
// real broker, record by record what franz-go reads.
func TestRealKafkaReadsAsKgo(t *testing.T) {
	const parts = 6
	addrs, topic := realTopic(t, parts, map[string]string{"max.message.bytes": "4000000"})
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		cl := newProducer(t, addrs, kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(codec), kgo.TransactionalID(fmt.Sprint(topic, i)),
			kgo.ProducerBatchMaxBytes(3_000_000))
		for j := range 9 {
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for k := range 300 {
				size := 200
				if k%100 == 0 {
					size = 500_000
				}
				letter := []byte{byte('a' + (i+j+k)%26)}
				cl.Produce(t.Context(), &kgo.Record{Partition: int32(k % parts), Key: letter, Value: bytes.Repeat(letter, size)}, nil)
			}
			if err := cl.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := cl.EndTransaction(t.Context(), kgo.TransactionEndTry(j%3 != 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := make([][]string, parts)
	reader, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for n := 0; n < len(codecs)*6*300; {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		fetched := reader.PollFetches(ctx)
		cancel()
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			want[r.Partition] = append(want[r.Partition], digest(r.Offset, r.Key, r.Value))
			n++
		})
	}
	s := newSource(t, addrs, Options{PartitionBytes: 200_000, MaxBytes: 600_000})
	var check []func()
	for p := range int32(parts) {
		_, end, err := s.Range(t.Context(), topic, p)
		if err != nil {
			t.Fatal(err)
		}
		b, all := collect(t, s, topic, p, 300_000)
		check = append(check, func() {
			eventually(t, 30*time.Second, "the end is reached", func() bool { return b.last().Next == end && len(all()) >= len(want[p]) })
			if got := all(); !slices.Equal(got, want[p]) {
				t.Errorf("partition %d: %d records, want %d", p, len(got), len(want[p]))
			}
		})
	}
	for _, f := range check {
		f()
	}
	t.Logf("%d requests", s.requests.Load())
}

// TestRealKafkaCompacts: the log cleaner takes whole batches of an idempotent producer, and keeps the last one empty.
// The broker's cleaner looks every 15 s by default, test/with-kafka.sh makes it half a second.
func TestRealKafkaCompacts(t *testing.T) {
	addrs, topic := realTopic(t, 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001", "max.compaction.lag.ms": "1000",
	})
	first := newProducer(t, addrs, kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(20*time.Millisecond))
	for range 20 { // ever the same ten keys: of the batches only the last one's records stay, until the second producer
		for k := range 10 {
			first.Produce(t.Context(), &kgo.Record{Key: fmt.Append(nil, k), Value: []byte("old")}, nil)
		}
		if err := first.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	second := newProducer(t, addrs, kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(20*time.Millisecond))
	for k := range 10 {
		second.Produce(t.Context(), &kgo.Record{Key: fmt.Append(nil, k), Value: []byte("new")}, nil)
	}
	if err := second.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	produceTo(t, second, topic, "active", "the active segment is never cleaned")
	s := newSource(t, addrs, Options{PartitionBytes: 100, MaxWait: 20 * time.Millisecond})
	var got []string
	eventually(t, 90*time.Second, "the log is compacted", func() bool {
		during(2 * time.Second)
		produceTo(t, second, topic, "active", "a new segment")
		_, end, err := s.Range(t.Context(), topic, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, all := collect(t, s, topic, 0, mib)
		eventually(t, 10*time.Second, "the end is reached", func() bool { return b.last().Next == end })
		during(10 * time.Millisecond)
		s.Close(b.claim)
		got = all()
		return len(got) > 0 && !strings.Contains(strings.Join(got, "\n"), "old")
	})
	t.Logf("%d requests; the log is now\n%s", s.requests.Load(), strings.Join(got, "\n"))
}

func produceTo(t *testing.T, cl *kgo.Client, topic, key, value string) {
	t.Helper()
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
