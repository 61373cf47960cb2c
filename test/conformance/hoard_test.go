package conformance

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/consumer"
)

// The hoard: what a consumer of bounded memory holds of a log that is many times larger.
const (
	hoards         = "hoards" // the child's fourth word
	hoardBound     = 64 << 20 // of all its backlogs
	hoardResponse  = 8 << 20  // on the wire, one of each broker at a time
	hoardParts     = 16       // whose own bounds are twice the total
	hoardValue     = 8 << 10
	hoardSlack     = 64 << 20 // of the heap: what is no record
	hoardEvery     = 20 * time.Millisecond
	hoardStillness = 50 // looks in which nothing changes: then it stands
)

// hoard runs a consumer whose handlers stand until SIGUSR1, and says every 20 ms
//
//	held N BYTES HEAP     N records are handled; the bytes of its status, and those of the heap's spans in use
//
// It ends with SIGTERM. Status 0: Run answered nil.
func hoard(arg []string) int {
	var handled atomic.Int64
	c, err := consumer.New(consumer.Config{
		Brokers: strings.Split(arg[0], ","), Group: arg[1], Topics: []string{arg[2]},
		Backlog: consumer.Backlog{TotalBytes: hoardBound},
		Fetch:   consumer.Fetch{MaxBytes: hoardResponse, Connections: 1},
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Handler: func(ctx context.Context, _ *consumer.Record) error {
			select {
			case <-goOn:
			case <-ctx.Done():
				return ctx.Err()
			}
			handled.Add(1)
			return nil
		},
	})
	if err != nil {
		fmt.Println("out", err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	looks := make(chan struct{})
	go func() {
		defer close(looks)
		tick := time.NewTicker(hoardEvery)
		defer tick.Stop()
		for {
			select {
			case <-told:
				close(goOn)
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			s, err := c.Status(ctx)
			if err != nil {
				continue
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			fmt.Println("held", handled.Load(), s.Bytes, m.HeapInuse)
		}
	}()
	err = c.Run(ctx)
	stop()
	<-looks
	if err != nil {
		fmt.Println("out", err)
		return 1
	}
	return 0
}

// goOn lets the hoard's handlers go.
var goOn = make(chan struct{})

// TestOneSlowMemory: a consumer, in a process of its own, stands before a backlog that is many times larger than what it may
// hold: 1 GiB that cannot be compressed, on a real Kafka. Others fetch on, or count records and not bytes, until the kernel
// ends them, and the one that takes their partitions over after them. What the status counts stays within the total bound but
// for one response of each broker, which was on its way, and the heap within twice that (the collector lets it grow to twice
// what is used) and 64 MiB. So it does when the handlers go on and all of it passes through.
func TestOneSlowMemory(t *testing.T) {
	k := cluster(t)
	size := 1 << 30
	if k.fake != nil {
		size = 3 * hoardBound // it keeps all of it in memory, and gives it out from there
	}
	const perRecord = hoardValue + 256 // as a backlog counts it
	response := hoardResponse / hoardValue * perRecord
	limit := int64(hoardBound + len(k.brokers)*response)
	each := size / hoardParts / hoardValue
	topic := k.topic(hoardParts)
	began := time.Now()
	k.fillNoise(topic, hoardParts, each)
	t.Logf("%d MiB were produced in %v", size>>20, time.Since(began).Round(10*time.Millisecond))

	p := k.spawn("g-"+topic, topic, hoards)
	eventually(t, "it stands before a backlog that does not grow any more", func() bool {
		held := p.said("held")
		n := len(held)
		return n > hoardStillness && held[n-1].offset > hoardBound/2 && held[n-1].offset == held[n-1-hoardStillness].offset
	})
	standing, heap := p.peaks()
	if n := p.handled(); n > 0 {
		t.Errorf("%d records were handled by handlers that stand", n)
	}
	began = time.Now()
	p.signal(t, syscall.SIGUSR1)
	if !waits(4*patience, func() bool { return p.handled() == each*hoardParts }) {
		t.Fatalf("%d of %d records are handled", p.handled(), each*hoardParts)
	}
	took := time.Since(began)
	p.signal(t, syscall.SIGTERM)
	received(t, p.done, "the consumer leaves")
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("it ended with status %d", code)
	}
	held, most := p.peaks()
	t.Logf("standing: %d MiB held, %d MiB of heap; then all of it in %v: %d MiB, %d MiB; the limits are %d MiB and %d MiB",
		standing>>20, heap>>20, took.Round(10*time.Millisecond), held>>20, most>>20, limit>>20, (2*limit+hoardSlack)>>20)
	if held > limit {
		t.Errorf("the backlogs held %d KiB, the limit is %d KiB", held>>10, limit>>10)
	}
	if most > 2*limit+hoardSlack {
		t.Errorf("the heap had %d MiB, the limit is %d MiB", most>>20, (2*limit+hoardSlack)>>20)
	}
	k.remove(topic)
}

// peaks are the most that was held, and of the heap.
func (p *process) peaks() (held, heap int64) {
	for _, l := range p.said("held") {
		var h int64
		_, _ = fmt.Sscan(l.rest, &h)
		held, heap = max(held, l.offset), max(heap, h)
	}
	return held, heap
}

// handled is how many records are, as the child said last.
func (p *process) handled() int {
	said := p.said("held")
	if len(said) == 0 {
		return 0
	}
	return int(said[len(said)-1].partition)
}

// fillNoise produces values that cannot be compressed to each partition.
func (k *kafka) fillNoise(topic string, partitions int32, each int) {
	k.t.Helper()
	client := k.client(kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedBytes(32<<20), kgo.ProducerBatchMaxBytes(512<<10),
		kgo.ProducerLinger(10*time.Millisecond))
	defer client.Close()
	random := rand.New(rand.NewPCG(13, 13))
	pool := make([]byte, 16*hoardValue)
	for i := range pool {
		pool[i] = byte(random.Uint32())
	}
	var failed atomic.Pointer[error]
	for range each {
		for p := range partitions {
			at := random.IntN(len(pool) - hoardValue)
			client.Produce(k.t.Context(), &kgo.Record{Topic: topic, Partition: p, Value: bytes.Clone(pool[at : at+hoardValue])}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.Store(&err)
				}
			})
		}
	}
	if err := client.Flush(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	if err := failed.Load(); err != nil {
		k.t.Fatal(*err)
	}
}
