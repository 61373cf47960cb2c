package source

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/messages"
)

// The kit: an in-process broker, a producer, and a bounded mailbox for what a source delivers.

func newCluster(tb testing.TB, brokers, partitions int, opts ...kfake.Opt) *kfake.Cluster {
	tb.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(brokers), kfake.SeedTopics(int32(partitions), "t")}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.ClientID = "test"
	return c
}

// newSource makes a source over its own cluster connections. It is stopped at the test's end.
func newSource(tb testing.TB, addrs []string, o Options) *Source {
	tb.Helper()
	if o.Config == nil {
		o.Config = saramaConfig()
	}
	d, err := conn.NewDialer(o.Config)
	if err != nil {
		tb.Fatal(err)
	}
	o.Cluster = conn.NewCluster(conn.Settings{Seeds: addrs, Dial: d.Dial, Version: o.Config.Version})
	if o.Backoff == 0 {
		o.Backoff = 20 * time.Millisecond
	}
	s, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Stop()
		o.Cluster.Close()
		d.Close()
	})
	return s
}

var sequence struct {
	sync.Mutex
	n uint64
}

func newClaim(partition int32) messages.Claim {
	sequence.Lock()
	defer sequence.Unlock()
	sequence.n++
	return messages.Claim{Group: "g", Member: "m", Topic: "t", Partition: partition, Generation: 1, Sequence: sequence.n}
}

func newProducer(tb testing.TB, addrs []string, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("t"),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.MaxBufferedRecords(50_000), kgo.ProducerBatchCompression(kgo.NoCompression()),
	}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cl.Close)
	return cl
}

// fill produces n records of size bytes, round robin over the partitions 0 to parts-1.
func fill(tb testing.TB, addrs []string, n, parts, size int, opts ...kgo.Opt) {
	tb.Helper()
	cl := newProducer(tb, addrs, append([]kgo.Opt{kgo.ProducerLinger(5 * time.Millisecond)}, opts...)...)
	defer cl.Close() // it would go on asking for metadata
	pool := make([]byte, size+4096)
	for i := range pool {
		pool[i] = byte(rand.Int())
	}
	var mu sync.Mutex
	var failed error
	for i := range n {
		at := i % 4096
		cl.Produce(context.Background(), &kgo.Record{Partition: int32(i % parts), Value: pool[at : at+size]}, func(_ *kgo.Record, err error) {
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	if err := cl.Flush(context.Background()); err != nil {
		tb.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if failed != nil {
		tb.Fatal(failed)
	}
}

func produce(tb testing.TB, cl *kgo.Client, partition int32, value string) {
	tb.Helper()
	if err := cl.ProduceSync(context.Background(), &kgo.Record{Partition: partition, Value: []byte(value)}).FirstErr(); err != nil {
		tb.Fatal(err)
	}
}

// eventually waits for a state.
func eventually(tb testing.TB, within time.Duration, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(within)
	defer end.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end.C:
			if !ok() {
				tb.Fatalf("not within %v: %s", within, what)
			}
			return
		}
	}
}

// during lets time pass in which something must not happen, or goes on.
func during(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	<-t.C
}

// delivery is what a box was given.
type delivery struct {
	seek   uint64
	batch  actors.Batch
	extent actors.Extent
}

// box is a bounded mailbox with one worker: an actors.Sink as backlogs are, without their rules.
type box struct {
	source *Source
	claim  messages.Claim
	handle func(r *messages.Record)

	mu     sync.Mutex
	cond   *sync.Cond
	queue  []delivery
	held   int // bytes queued or being worked on
	peak   int
	limit  int
	full   bool
	paused bool
	closed bool
	extent actors.Extent
	errs   []error
	got    []int64
	done   chan struct{}

	deliveries int
}

// openBox opens a partition for a box. handle, if not nil, is called for each record, by one goroutine.
func openBox(tb testing.TB, s *Source, partition int32, offset int64, limit int, handle func(r *messages.Record)) *box {
	tb.Helper()
	return openTopic(tb, s, "t", partition, offset, limit, handle)
}

func openTopic(tb testing.TB, s *Source, topic string, partition int32, offset int64, limit int, handle func(r *messages.Record)) *box {
	tb.Helper()
	claim := newClaim(partition)
	claim.Topic = topic
	b := &box{source: s, claim: claim, handle: handle, limit: limit, done: make(chan struct{})}
	b.cond = sync.NewCond(&b.mu)
	go b.work()
	tb.Cleanup(func() {
		s.Close(b.claim)
		b.mu.Lock()
		b.closed = true
		b.cond.Broadcast()
		b.mu.Unlock()
		<-b.done
	})
	s.Open(b.claim, offset, 1, b)
	return b
}

// Room asks only when half of the box is free: small requests cost as much as large ones.
func (b *box) Room() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.paused:
		return -1
	case b.held > b.limit/2:
		b.full = true
		return 0
	default:
		return b.limit - b.held
	}
}

func (b *box) Deliver(seek uint64, batch actors.Batch, x actors.Extent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.extent = x
	b.deliveries++
	b.queue = append(b.queue, delivery{seek, batch, x})
	for i := range batch.Len() {
		b.held += batch.Size(i)
	}
	b.peak = max(b.peak, b.held)
	b.cond.Signal()
}

func (b *box) Failed(_ uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errs = append(b.errs, err)
}

func (b *box) work() {
	defer close(b.done)
	for {
		b.mu.Lock()
		for len(b.queue) == 0 && !b.closed {
			b.cond.Wait()
		}
		if b.closed {
			b.mu.Unlock()
			return
		}
		d := b.queue[0]
		b.queue = b.queue[1:]
		b.mu.Unlock()
		for i := range d.batch.Len() {
			var r messages.Record
			d.batch.Read(i, &r)
			if b.handle != nil {
				b.handle(&r)
			}
			b.mu.Lock()
			b.got = append(b.got, r.Offset)
			b.held -= d.batch.Size(i)
			wake := b.full && b.held <= b.limit/2
			if wake {
				b.full = false
			}
			closed := b.closed
			b.mu.Unlock()
			if wake {
				b.source.Wake(b.claim)
			}
			if closed {
				return
			}
		}
	}
}

func (b *box) pause(v bool) {
	b.mu.Lock()
	b.paused = v
	b.mu.Unlock()
	if !v {
		b.source.Wake(b.claim)
	}
}

// offsets of the records handled so far.
func (b *box) offsets() []int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

func (b *box) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.got)
}

func (b *box) last() actors.Extent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.extent
}

func (b *box) failures() []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.errs)
}

// upTo checks that the offsets from..to-1 came once each and in order.
func (b *box) upTo(from, to int64) error {
	want := from
	for _, o := range b.offsets() {
		if o != want {
			return fmt.Errorf("record %d came where %d was due", o, want)
		}
		want++
	}
	if want != to {
		return fmt.Errorf("records up to %d, want %d", want, to)
	}
	return nil
}
