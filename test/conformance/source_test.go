package conformance

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/consumer"
)

// flow produces records to all partitions until the ledger's ends are reached, while a scenario disturbs the cluster.
func (k *kafka) flow(topic string, partitions int32, each int) (wait func()) {
	var done sync.WaitGroup
	done.Go(func() {
		for n := 0; n < each; n += 20 {
			k.fill(topic, partitions, n, min(n+20, each))
		}
	})
	return done.Wait
}

// TestSourceLeaderMoves: partitions change their leaders again and again while records flow, and at last one of the
// brokers goes. No record is missing, none comes twice.
func TestSourceLeaderMoves(t *testing.T) {
	fakeOnly(t, "it ends a broker for good; TestThreeNodesLeaderMoves and TestThreeNodesLeaderKilled do both apart")
	const partitions, each = 4, 3000
	k := cluster(t)
	topic := k.topic(partitions)
	l := newLedger(partitions, each)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Handler = l.keeps("a", nil)
	a := start(t, "a", cfg)
	a.owns(partitions)
	wait := k.flow(topic, partitions, each)
	random := rand.New(rand.NewPCG(3, 3))
	for range 30 {
		was := l.count()
		if err := k.fake.MoveTopicPartition(topic, int32(random.IntN(partitions)), int32(random.IntN(3))); err != nil {
			t.Fatal(err)
		}
		eventually(t, "records flow on", func() bool { return l.count() > was || l.done() })
	}
	gone := (k.fake.CoordinatorFor("g-"+topic) + 1) % 3
	for p := range int32(partitions) { // as a controller does
		if k.fake.LeaderFor(topic, p) == gone {
			if err := k.fake.MoveTopicPartition(topic, p, (gone+1)%3); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := k.fake.RemoveNode(gone); err != nil {
		t.Fatal(err)
	}
	wait()
	eventually(t, "all are processed", l.done)
	a.leave()
	l.clean(t)
}

// TestThreeNodesLeaderMoves: partitions get other leaders again and again while records flow, and no node ends. No
// record is missing, none comes twice.
func TestThreeNodesLeaderMoves(t *testing.T) {
	threeNodes(t, "leaders move between nodes")
	const partitions, each, moves = 4, 6000, 12
	k := cluster(t)
	topic := k.topic(partitions)
	l := newLedger(partitions, each)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Handler = l.keeps("a", nil)
	a := start(t, "a", cfg)
	a.owns(partitions)
	wait := k.flow(topic, partitions, each)
	random := rand.New(rand.NewPCG(5, 5))
	for n := range moves {
		p, was := int32(random.IntN(partitions)), l.count()
		k.lead(topic, p)
		if l.done() {
			t.Fatalf("all records were processed after %d of %d moves", n, moves)
		}
		eventually(t, "records flow on", func() bool { return l.count() > was })
	}
	wait()
	eventually(t, "all are processed", l.done)
	a.leave()
	l.clean(t)
}

// TestThreeNodesLeaderKilled: the node that leads partitions is killed while records flow. No record is missing, none
// comes twice, and partitions that are led elsewhere run on.
func TestThreeNodesLeaderKilled(t *testing.T) {
	threeNodes(t, "the node that leads partitions is killed")
	const partitions, each = 6, 3000
	k := cluster(t)
	topic := k.topic(partitions)
	group := k.groupApartFrom(t, topic, 0)
	l := newLedger(partitions, each)
	cfg := k.config("a", group, topic)
	cfg.SessionTimeout = 30 * time.Second
	cfg.Handler = l.keeps("a", nil)
	a := start(t, "a", cfg)
	a.owns(partitions)
	wait := k.flow(topic, partitions, each)
	eventually(t, "records flow", func() bool { return l.count() > 600 })
	k.kill(k.leader(topic, 0))
	wait()
	eventually(t, "all are processed", l.done)
	a.leave()
	l.clean(t)
}

// TestSourceMemoryBound: batches that are ten times larger in memory than on the wire, and handlers that stand. Their
// own bounds would let them hold four times the total: it is the total that binds. The backlogs stay within it but for
// one response of each broker, which was on its way; and then everything is processed.
func TestSourceMemoryBound(t *testing.T) {
	const (
		partitions, each = 8, 4000
		size             = 1 << 10   // of a value, of which a tenth cannot be compressed
		bound            = 1 << 20   // of one partition: eight of them hold 8 MiB
		total            = 2 * bound // of all together
		response         = 64 << 10  // on the wire
		ratio            = 16        // in memory to on the wire, at most
		brokers          = 3         // each has one connection with one response on its way
		limit            = total + brokers*response*ratio
	)
	k := cluster(t)
	topic := k.topic(partitions)
	random := rand.New(rand.NewPCG(4, 4))
	k.fillCompressed(topic, partitions, each, func(n int) []byte {
		v := bytes.Repeat([]byte{'.'}, size)
		copy(v, strconv.Itoa(n)+" ")
		for i := 8; i < 8+size/12; i++ {
			v[i] = byte(random.Uint32())
		}
		return v
	})
	l := newLedger(partitions, each)
	g := newGate()
	defer g.release()
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Backlog = consumer.Backlog{Bytes: bound, TotalBytes: total}
	cfg.Fetch.PartitionBytes, cfg.Fetch.MaxBytes, cfg.Fetch.Connections = response, response, 1
	cfg.Handler = l.keeps("a", func(context.Context, *consumer.Record) error { <-g.open; return nil })
	a := start(t, "a", cfg)
	var peak int64
	look := func() {
		if b := a.status().Bytes; b > peak {
			peak = b
		}
	}
	eventually(t, "every handler stands, and backlogs fill", func() bool {
		look()
		return len(l.running("a")) == partitions && peak > total/2
	})
	for same, last := 0, int64(0); same < 100; { // some time in which nothing is taken out
		look()
		if last == peak {
			same++
		} else {
			same, last = 0, peak
		}
		work(t.Context().Done(), 2*time.Millisecond)
	}
	standing := peak
	g.release()
	eventually(t, "all are processed", func() bool { look(); return l.done() })
	a.leave()
	l.clean(t)
	t.Logf("at most %d KiB standing, %d KiB in all; the bound is %d KiB", standing>>10, peak>>10, total>>10)
	if peak > limit {
		t.Errorf("backlogs held %d KiB, the total is %d and a response %d", peak>>10, total>>10, response*ratio>>10)
	}
}

// fillCompressed is fill through zstd, with batches of some 100 KB before it.
func (k *kafka) fillCompressed(topic string, partitions int32, each int, value func(n int) []byte) {
	k.t.Helper()
	client := k.client(kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ProducerBatchMaxBytes(100<<10), kgo.ProducerLinger(20*time.Millisecond))
	defer client.Close()
	recs := make([]*kgo.Record, 0, each*int(partitions))
	for n := range each {
		for p := range partitions {
			recs = append(recs, &kgo.Record{Topic: topic, Partition: p, Value: value(n)})
		}
	}
	if err := client.ProduceSync(k.t.Context(), recs...).FirstErr(); err != nil {
		k.t.Fatal(fmt.Errorf("produce compressed batches: %w", err))
	}
}
