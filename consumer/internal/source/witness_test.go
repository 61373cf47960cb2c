package source

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// known is a partition's log as those who wrote it know it: the records that may be delivered, by offset. In between
// lie markers and what was aborted.
type known struct {
	offsets []int64 // ascending
	values  map[int64]string
}

// from is the place in offsets of the first record at or after the offset.
func (l *known) from(offset int64) int {
	i, _ := slices.BinarySearch(l.offsets, offset)
	return i
}

// end is behind the last record.
func (l *known) end() int64 { return l.offsets[len(l.offsets)-1] + 1 }

// fillKnown writes logs with holes to the partitions 0 to parts-1: transactions of 40 records, of which each third one is
// aborted, and five records outside of any behind each. Every value is another one, and names its partition.
func fillKnown(tb testing.TB, c *kfake.Cluster, parts, transactions int) []*known {
	tb.Helper()
	logs := make([]*known, parts)
	for p := range logs {
		logs[p] = &known{values: map[int64]string{}}
	}
	plain := newProducer(tb, c.ListenAddrs())
	cl := newProducer(tb, c.ListenAddrs(), kgo.TransactionalID("known"), kgo.ProducerBatchMaxBytes(1<<10))
	write := func(cl *kgo.Client, n int, text string, keep bool) {
		var recs []*kgo.Record
		for i := range n {
			for p := range parts {
				recs = append(recs, &kgo.Record{Partition: int32(p), Value: fmt.Append(nil, p, " ", text, " ", i)})
			}
		}
		if err := cl.ProduceSync(context.Background(), recs...).FirstErr(); err != nil {
			tb.Fatal(err)
		}
		for _, r := range recs {
			if keep {
				l := logs[r.Partition]
				l.offsets, l.values[r.Offset] = append(l.offsets, r.Offset), string(r.Value)
			}
		}
	}
	for n := range transactions {
		if err := cl.BeginTransaction(); err != nil {
			tb.Fatal(err)
		}
		how := kgo.TransactionEndTry(n%3 != 1)
		write(cl, 40, fmt.Sprint("in ", n), how == kgo.TryCommit)
		if err := cl.EndTransaction(context.Background(), how); err != nil {
			tb.Fatal(err)
		}
		write(plain, 5, fmt.Sprint("behind ", n), true)
	}
	for p, l := range logs {
		slices.Sort(l.offsets)
		eventually(tb, 10*time.Second, "the transactions have ended", func() bool {
			i := c.PartitionInfo("t", int32(p))
			return i.LastStableOffset == i.HighWatermark
		})
	}
	return logs
}

// witness is a sink that knows the log. It keeps nothing and checks every delivery: it belongs to the newest seek, begins
// with the first record at or after where that went, and leaves none out; and each record is the one that was written there.
type witness struct {
	log  *known
	room atomic.Int64

	mu       sync.Mutex
	wanted   map[uint64]int64 // where seeks go, said before they begin
	returned uint64           // the newest seek that has returned: of an older one nothing may come
	seek     uint64           // of the last delivery
	next     int64            // what it ended in front of
	count    int              // records, in all
	ofSeek   int              // deliveries of the last seek
	ended    bool
	err      error // the first thing that was wrong
}

func newWitness(log *known, room int) *witness {
	w := &witness{log: log, wanted: map[uint64]int64{}}
	w.room.Store(int64(room))
	return w
}

// begins says where a seek is about to go.
func (w *witness) begins(seek uint64, to int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted[seek] = to
}

// has says that Seek or Open has returned.
func (w *witness) has(seek uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.returned = seek
}

// end says that Close has returned.
func (w *witness) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}

func (w *witness) Room() int { return int(w.room.Load()) }

func (w *witness) Failed(seek uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrongf("seek %d failed: %v", seek, err)
}

func (w *witness) Deliver(seek uint64, b actors.Batch, x actors.Extent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	to, said := w.wanted[seek]
	switch {
	case w.ended:
		w.wrongf("%d records of seek %d after Close has returned", b.Len(), seek)
	case !said || seek < w.returned || seek < w.seek:
		w.wrongf("%d records of seek %d after seek %d", b.Len(), seek, max(w.returned, w.seek))
	case seek > w.seek:
		w.seek, w.next, w.ofSeek = seek, to, 0
	}
	w.ofSeek++
	at := w.log.from(w.next)
	for i := range b.Len() {
		var r messages.Record
		b.Read(i, &r)
		switch {
		case at == len(w.log.offsets) || b.Offset(i) != w.log.offsets[at] || r.Offset != b.Offset(i):
			w.wrongf("seek %d to %d: record %d comes where number %d of the log's %d is due", seek, to, b.Offset(i), at, len(w.log.offsets))
		case string(r.Value) != w.log.values[r.Offset]:
			w.wrongf("record %d has the value %q, and was written as %q", r.Offset, r.Value, w.log.values[r.Offset])
		}
		w.next = b.Offset(i) + 1
		at = w.log.from(w.next)
		w.count++
	}
	if x.Next < w.next || at < len(w.log.offsets) && x.Next > w.log.offsets[at] {
		w.wrongf("seek %d to %d: the next fetch begins at %d, the records end in front of %d", seek, to, x.Next, w.next)
	}
	w.next = x.Next
}

func (w *witness) wrongf(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *witness) fault() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *witness) records() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// hears waits until something of this seek has come.
func (w *witness) hears(seek uint64, limit time.Duration) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); time.Now().Before(end); <-tick.C {
		w.mu.Lock()
		heard := w.seek == seek && w.ofSeek > 0
		w.mu.Unlock()
		if heard {
			return true
		}
	}
	return false
}
