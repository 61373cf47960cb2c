package source

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestCompactionHoles: batches whose first, middle or last records are gone, read through answers with room for one.
func TestCompactionHoles(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.CreateTopic("t", 1, map[string]string{"cleanup.policy": "compact", "segment.bytes": "20000", "min.cleanable.dirty.ratio": "0.0"}); err != nil {
		t.Fatal(err)
	}
	var want []int64
	offset := int64(0)
	put := func(from, to, step, size int, survives func(i int) bool) {
		cl := newProducer(t, c.ListenAddrs(), kgo.ProducerLinger(50*time.Millisecond))
		for i := from; i < to; i += step {
			cl.Produce(t.Context(), &kgo.Record{Key: fmt.Appendf(nil, "k%d", i), Value: make([]byte, size)}, nil)
			if survives(i) {
				want = append(want, offset)
			}
			offset++
		}
		if err := cl.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	always := func(int) bool { return true }
	put(0, 1000, 1, 20, func(i int) bool { return i < 500 })
	put(500, 1000, 1, 20, func(i int) bool { return i%2 == 1 })
	put(500, 1000, 2, 20, always)
	put(2000, 2200, 1, 100, always)
	put(3000, 3010, 1, 10, always)
	c.Compact()
	info := c.PartitionInfo("t", 0)
	first, _ := slices.BinarySearch(want, info.LogStartOffset)

	s := newSource(t, c.ListenAddrs(), Options{PartitionBytes: 4096, MaxWait: 20 * time.Millisecond})
	b := openBox(t, s, 0, info.LogStartOffset, mib, nil)
	eventually(t, 10*time.Second, "the end is reached", func() bool { return b.last().Next == info.HighWatermark && b.count() >= len(want)-first })
	if got := b.offsets(); !slices.Equal(got, want[first:]) {
		t.Errorf("%d records, want %d:\n%v\n%v", len(got), len(want)-first, got, want[first:])
	}
}
