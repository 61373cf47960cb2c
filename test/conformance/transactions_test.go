package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// put produces one record and waits for the answer.
func put(t testing.TB, client *kgo.Client, rec *kgo.Record) *kgo.Record {
	t.Helper()
	if err := client.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return rec
}

// begin starts a transaction.
func begin(t testing.TB, client *kgo.Client) {
	t.Helper()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
}

// end commits or aborts it.
func end(t testing.TB, client *kgo.Client, how kgo.TransactionEndTry) {
	t.Helper()
	if err := client.EndTransaction(t.Context(), how); err != nil {
		t.Fatal(err)
	}
}

// stable is the last stable offset of a topic's first partition.
func (k *kafka) stable(topic string) int64 {
	k.t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, 1
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Timestamp = -1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	at := ask[*kmsg.ListOffsetsResponse](k, req).Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(at.ErrorCode); err != nil {
		k.t.Fatalf("the last stable offset of %s: %v", topic, err)
	}
	return at.Offset
}

// TestOffsetsBehindAnOpenTransaction: what is committed lies behind the last stable offset, as a consumer that reads
// uncommitted leaves it. The partition waits and is not parked; when the transaction ends, one way or the other, it goes
// on exactly there.
func TestOffsetsBehindAnOpenTransaction(t *testing.T) {
	for how, name := range map[kgo.TransactionEndTry]string{kgo.TryCommit: "committed", kgo.TryAbort: "aborted"} {
		t.Run(name, func(t *testing.T) {
			k := cluster(t)
			topic := k.topic(1)
			group := "g-" + topic
			k.fill(topic, 1, 0, 5)
			client := k.client(kgo.TransactionalID("tx-" + topic))
			defer client.Close()
			begin(t, client)
			put(t, client, &kgo.Record{Topic: topic, Value: []byte("5")})
			k.fill(topic, 1, 6, 8)
			k.commit(group, topic, map[int32]int64{0: 7})
			var got seen
			cfg := k.config("a", group, topic)
			cfg.Handler = got.handle
			a := start(t, "a", cfg)
			k.fill(topic, 1, 8, 9)
			eventually(t, "it sees what is produced, and waits at 7", func() bool {
				p := a.partitions()[0]
				return p.Head == 7 && p.Lag == 2
			})
			if p := a.partitions()[0]; p.State != messages.StateIdle || p.Reason != "" {
				t.Errorf("the partition is %v because of %q, want idle", p.State, p.Reason)
			}
			if all := got.all(); len(all) > 0 {
				t.Errorf("%v were handled before the transaction has ended", all)
			}
			end(t, client, how)
			eventually(t, "it goes on", func() bool { return len(got.all()) >= 2 })
			a.leave()
			if all := got.all(); !slices.Equal(all, []int64{7, 8}) {
				t.Errorf("handled %v, want 7 and 8", all)
			}
			if at := k.committed(group, topic)[0]; at < 9 {
				t.Errorf("committed %d, want 9 or more", at)
			}
			if moved := told[*messages.Moved](a); len(moved) > 0 {
				t.Errorf("moved %+v", *moved[0])
			}
		})
	}
}

// TestReadCommittedAsAnotherClient: producers whose transactions overlap commit, abort, and write records outside of any.
// What our handlers get is record by record what another client reads: keys, values, headers, times.
func TestReadCommittedAsAnotherClient(t *testing.T) {
	const partitions, producers, steps = 3, 4, 400
	k := cluster(t)
	topic := k.topic(partitions)
	random := rand.New(rand.NewPCG(8, 8))
	var clients []*kgo.Client
	for i := range producers {
		client := k.client(kgo.TransactionalID(fmt.Sprintf("tx-%d-%s", i, topic)), kgo.ProducerBatchCompression(kgo.SnappyCompression()))
		t.Cleanup(client.Close)
		clients = append(clients, client)
	}
	open := map[int]bool{}
	for n := range steps {
		i := random.IntN(producers + 1)
		rec := &kgo.Record{Topic: topic, Partition: random.Int32N(partitions), Key: []byte{byte(n)}, Value: fmt.Append(nil, "by ", i, " at ", n)}
		if n%7 == 0 {
			rec.Headers = []kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, n)}, {Key: "n", Value: nil}}
		}
		switch {
		case i == producers:
			put(t, k.writer, rec)
		case open[i] && random.IntN(5) == 0:
			end(t, clients[i], random.IntN(2) == 0)
			open[i] = false
		default:
			if !open[i] {
				begin(t, clients[i])
				open[i] = true
			}
			put(t, clients[i], rec)
		}
	}
	for i := range open {
		if open[i] {
			end(t, clients[i], i%2 == 0)
		}
	}
	for p := range int32(partitions) { // behind all markers
		put(t, k.writer, &kgo.Record{Topic: topic, Partition: p, Value: []byte("end")})
	}
	want := k.readCommitted(topic, partitions)

	var mu sync.Mutex
	got, ends := map[int32][]*consumer.Record{}, 0
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Fetch.PartitionBytes = 2 << 10 // in many answers, each with a list of aborted transactions of its own
	cfg.Handler = func(_ context.Context, r *consumer.Record) error {
		mu.Lock()
		defer mu.Unlock()
		got[r.Partition] = append(got[r.Partition], r.Clone())
		if string(r.Value) == "end" {
			ends++
		}
		return nil
	}
	a := start(t, "a", cfg)
	eventually(t, "the ends are reached", func() bool { mu.Lock(); defer mu.Unlock(); return ends == partitions })
	a.leave()
	n := 0
	for p := range int32(partitions) {
		if len(got[p]) != len(want[p]) {
			t.Fatalf("partition %d: %d records, the other client reads %d", p, len(got[p]), len(want[p]))
		}
		for i, r := range got[p] {
			sameRecord(t, r, want[p][i])
			n++
		}
	}
	t.Logf("%d of %d records are committed", n, steps)
}

// readCommitted is what another client reads, until the record "end" of each partition.
func (k *kafka) readCommitted(topic string, partitions int32) map[int32][]*kgo.Record {
	k.t.Helper()
	from := map[int32]kgo.Offset{}
	for p := range partitions {
		from[p] = kgo.NewOffset().AtStart()
	}
	client := k.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	defer client.Close()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	out := map[int32][]*kgo.Record{}
	for ends := int32(0); ends < partitions; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			k.t.Fatal("the other client does not reach the ends")
		}
		fetches.EachRecord(func(r *kgo.Record) {
			out[r.Partition] = append(out[r.Partition], r)
			if string(r.Value) == "end" {
				ends++
			}
		})
	}
	return out
}
