package source

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/messages"
)

// TestTransactionsAsKgo: three transactional producers, interleaved, one transaction in three aborted, read in small
// pieces: record by record what franz-go reads, with either isolation, and a position behind the last marker.
func TestTransactionsAsKgo(t *testing.T) {
	c := newCluster(t, 1, 1)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			cl := newProducer(t, c.ListenAddrs(), kgo.TransactionalID(fmt.Sprint("tx", i)))
			for j := range 30 {
				if err := cl.BeginTransaction(); err != nil {
					t.Error(err)
					return
				}
				for k := range 1 + j%4 {
					produce(t, cl, 0, fmt.Sprint(i, j, k))
				}
				if err := cl.EndTransaction(t.Context(), kgo.TransactionEndTry((i+j)%3 != 0)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	end := c.PartitionInfo("t", 0).HighWatermark
	for _, isolation := range []Isolation{ReadCommitted, ReadUncommitted} {
		want := readWithKgo(t, c, isolation, end)
		var got []string
		var mu sync.Mutex
		s := newSource(t, c.ListenAddrs(), Options{Isolation: isolation, PartitionBytes: 300, MaxWait: 20 * time.Millisecond})
		b := openBox(t, s, 0, 0, mib, func(r *messages.Record) {
			mu.Lock()
			got = append(got, fmt.Sprintf("%d %s", r.Offset, r.Value))
			mu.Unlock()
		})
		eventually(t, 5*time.Second, "all is read", func() bool { return b.last().Next == end && b.count() >= len(want) })
		mu.Lock()
		if !slices.Equal(got, want) {
			t.Errorf("isolation %d:\n got %d %v\nwant %d %v", isolation, len(got), got, len(want), want)
		}
		mu.Unlock()
	}
}

// readWithKgo reads everything up to end, which holds 90 markers.
func readWithKgo(t *testing.T, c *kfake.Cluster, isolation Isolation, end int64) (all []string) {
	t.Helper()
	level := kgo.ReadCommitted()
	if isolation == ReadUncommitted {
		level = kgo.ReadUncommitted()
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(level),
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for last := int64(-1); last < end-1; {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			last = r.Offset
			if !r.Attrs.IsControl() {
				all = append(all, fmt.Sprintf("%d %s", r.Offset, r.Value))
			}
		})
		if ctx.Err() != nil {
			t.Fatal("kgo does not reach the end")
		}
	}
	return all
}

// TestOpenTransaction: what is not decided yet is not read, its extent is told, and the end of the log is where the
// isolation says.
func TestOpenTransaction(t *testing.T) {
	c := newCluster(t, 1, 1)
	plain := newProducer(t, c.ListenAddrs())
	for range 5 {
		produce(t, plain, 0, "plain")
	}
	tx := newProducer(t, c.ListenAddrs(), kgo.TransactionalID("tx"))
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, tx, 0, "undecided")
	produce(t, plain, 0, "behind it")

	s := newSource(t, c.ListenAddrs(), Options{})
	b := openBox(t, s, 0, 0, mib, nil)
	eventually(t, 5*time.Second, "what is stable is read", func() bool { return b.count() == 5 && b.last().Next == 5 })
	if x := b.last(); x.HighWater != 7 || x.LastStable != 5 {
		t.Errorf("extent %+v", x)
	}
	if _, end, err := s.Range(t.Context(), "t", 0); err != nil || end != 5 {
		t.Errorf("the log ends at %d, %v; want 5", end, err)
	}
	if high, err := s.HighWater(t.Context(), "t", 0); err != nil || high != 7 {
		t.Errorf("the high-water mark is %d, %v; want 7", high, err)
	}
	// A commit may lie behind the open transaction: it is no error to fetch from there, and what is stable later is read.
	behind := openBox(t, newSource(t, c.ListenAddrs(), Options{}), 0, 6, mib, nil)
	all := newSource(t, c.ListenAddrs(), Options{Isolation: ReadUncommitted})
	if _, end, err := all.Range(t.Context(), "t", 0); err != nil || end != 7 {
		t.Errorf("the log ends at %d, %v; want 7", end, err)
	}
	produce(t, plain, 0, "one more")
	eventually(t, 5*time.Second, "the high-water mark is told", func() bool { return b.last().HighWater == 8 })
	if err := tx.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the rest is read", func() bool { return b.count() == 7 && b.last().Next == 9 })
	if got := b.offsets(); !slices.Equal(got, []int64{0, 1, 2, 3, 4, 6, 7}) {
		t.Errorf("offsets %v", got)
	}
	eventually(t, 5*time.Second, "the rest is read from behind, too", func() bool { return behind.count() == 2 })
}
