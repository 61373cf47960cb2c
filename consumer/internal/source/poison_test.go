package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/messages"
)

// spoiler is a dialer whose connections change the word POISON in what is read, so that its batch's checksum is wrong.
type spoiler struct{ off atomic.Bool }

type spoiled struct {
	net.Conn

	by *spoiler
}

func (s *spoiler) Dial(network, addr string) (net.Conn, error) {
	c, err := net.Dial(network, addr)
	return &spoiled{c, s}, err
}

func (c *spoiled) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for i := bytes.Index(b[:n], []byte("POISON")); i >= 0 && !c.by.off.Load(); i = bytes.Index(b[:n], []byte("POISON")) {
		b[i] = 'p'
	}
	return n, err
}

// TestPoisonBatch: one batch of p0 is damaged on its way, beside partitions of the same broker that get records all
// the time, and one with a long backlog. p0 stops exactly there and says why; the others run on; a seek skips it.
func TestPoisonBatch(t *testing.T) {
	c := newCluster(t, 1, 3)
	cl := newProducer(t, c.ListenAddrs(), kgo.ProducerBatchMaxBytes(16<<10))
	for i := range 200 {
		v := "good"
		if i == 130 {
			v = strings.Repeat("POISON", 10)
		}
		produce(t, cl, 0, v) // a batch each
	}
	for range 2000 {
		cl.Produce(t.Context(), &kgo.Record{Partition: 2, Value: make([]byte, 1000)}, nil)
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	config := saramaConfig()
	bad := &spoiler{}
	config.Net.Proxy.Enable, config.Net.Proxy.Dialer = true, bad
	s := newSource(t, c.ListenAddrs(), Options{Config: config, Connections: 1})

	var late atomic.Int64
	sent := make(chan time.Time, 1000)
	neighbour := openBox(t, s, 1, 0, mib, func(*messages.Record) {
		if time.Since(<-sent) > 500*time.Millisecond {
			late.Add(1)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	produced := make(chan int)
	go func() {
		n := 0
		for ctx.Err() == nil {
			sent <- time.Now()
			produce(t, cl, 1, "x")
			n++
			during(2 * time.Millisecond)
		}
		produced <- n
	}()
	eventually(t, 5*time.Second, "the neighbour runs", func() bool { return neighbour.count() > 3 })

	sick := openBox(t, s, 0, 0, mib, nil)
	long := openBox(t, s, 2, 0, mib, nil)
	eventually(t, 10*time.Second, "the batch is found", func() bool { return len(sick.failures()) > 0 })
	eventually(t, 10*time.Second, "all that lies before it is read", func() bool { return sick.count() == 130 })
	if err := sick.upTo(0, 130); err != nil {
		t.Error(err)
	}
	var pe *PartitionError
	var pd sarama.PacketDecodingError
	if err := sick.failures()[0]; !errors.As(err, &pe) || pe.Offset != 130 || !errors.As(err, &pd) {
		t.Errorf("%v", err)
	}
	eventually(t, 10*time.Second, "the long backlog is read", func() bool { return long.count() == 2000 })
	n := neighbour.count()
	eventually(t, 5*time.Second, "the neighbour runs on", func() bool { return neighbour.count() > n+20 })

	s.Seek(sick.claim, 131, 2)
	eventually(t, 5*time.Second, "reads on behind it", func() bool { return sick.count() == 199 })

	bad.off.Store(true) // it was the way: with that repaired, the batch can be read
	s.Seek(sick.claim, 130, 3)
	eventually(t, 5*time.Second, "reads it", func() bool { return sick.count() == 199+70 })

	cancel()
	all := <-produced
	eventually(t, 5*time.Second, "the neighbour has everything", func() bool { return neighbour.count() == all })
	if err := neighbour.upTo(0, int64(all)); err != nil {
		t.Error(err)
	}
	if late.Load() > 0 {
		t.Errorf("%d records of the neighbour came late", late.Load())
	}
	if len(sick.failures()) != 1 {
		t.Errorf("failures %v", sick.failures())
	}
}

// TestBatchThatDoesNotDecode: faults that a checksum does not see, because the producer made it. sarama's answers to
// them are those of a closed connection (a truncated gzip stream) and of a batch that was cut off for want of space
// (records shorter than they say): each asks again, for ever, unless it is known for what it is.
func TestBatchThatDoesNotDecode(t *testing.T) {
	for name, c := range map[string]struct {
		bad  raw
		want error
	}{
		"truncated gzip": {truncatedGzip(3, 5), io.ErrUnexpectedEOF},
		"short records":  {sealed(3, 5, 0, 3, []byte{40, 0, 0, 0, 1}), sarama.ErrInsufficientData},
		"many alike":     {crammed(3, 5), errCrammed}, // 1,000 records in 40 bytes
		"wrong varint":   {sealed(3, 5, 0, 1, bytes.Repeat([]byte{0xff}, 20)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			k := newCluster(t, 1, 2)
			newScript(t, k, map[int32][]raw{
				0: {rawBatch(0, 2, values(3, 10)...), c.bad, rawBatch(6, 8, values(3, 10)...)},
				1: manyBatches(100, 5, 100),
			})
			s := newSource(t, k.ListenAddrs(), Options{Connections: 1, MaxWait: 20 * time.Millisecond, PartitionBytes: 2000})
			sick := openBox(t, s, 0, 0, mib, nil)
			well := openBox(t, s, 1, 0, mib, nil)
			eventually(t, 5*time.Second, "the neighbour reads everything", func() bool { return well.count() == 500 })
			eventually(t, 5*time.Second, "the batch is found", func() bool { return len(sick.failures()) == 1 })
			var pe *PartitionError
			if err := sick.failures()[0]; !errors.As(err, &pe) || pe.Offset != 3 || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			eventually(t, time.Second, "what lies before it was delivered", func() bool { return sick.count() == 3 })
			s.Seek(sick.claim, 6, 2)
			eventually(t, 5*time.Second, "reads on behind it", func() bool { return sick.count() == 6 })
			during(50 * time.Millisecond)
			if n := len(sick.failures()); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}
