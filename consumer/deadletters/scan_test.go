package deadletters

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/internal/source"
	"github.com/ottla-go/ottla/messages"
)

// A log ends in the marker of a transaction, has an aborted one in its middle, and begins at an offset that is not 0: what
// is read are the records, and the end is found.
func TestScanOfALogWithHoles(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.DefaultProduceTopic("t"), kgo.TransactionalID("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for i, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(t.Context(), kgo.StringRecord(string(rune('a'+i)))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	removed := kmsg.NewPtrDeleteRecordsRequest()
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = "t"
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Offset = 2
	topic.Partitions = append(topic.Partitions, part)
	removed.Topics = append(removed.Topics, topic)
	if _, err := removed.RequestWith(t.Context(), cl); err != nil {
		t.Fatal(err)
	}
	c, err := Open(consumer.Config{Brokers: fake.ListenAddrs(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	src, err := c.source(source.ReadCommitted)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Stop()
	_, end, err := src.Range(ctx, "t", 0)
	if err != nil || end != 8 {
		t.Fatalf("the end is %d, %v", end, err)
	}
	var got string
	visit := func(r *messages.Record) error { got += string(r.Value); return nil }
	if err := scan(ctx, src, "t", 0, 0, end, visit); err != nil || got != "bd" { // from an offset that is not there any more
		t.Errorf("read %q, %v", got, err)
	}
	for _, from := range []int64{99, end} { // beyond the end, and at it, where a fetch waits for what comes
		if err := scan(ctx, src, "t", 0, from, 100, visit); !errors.Is(err, errShorter) {
			t.Errorf("a log that is shorter than it was, from %d: %v", from, err)
		}
	}
}
