package source

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestEmptiedBatchIsPassed: compaction may leave a batch without a record, which only tells where it ends (Kafka keeps
// it for the sequence numbers of its producer). Asking at its beginning again gives the same, for ever.
//
// It fails when a release of sarama renames the field that afterEmpty reads.
func TestEmptiedBatchIsPassed(t *testing.T) {
	if nextField == nil {
		t.Fatal("sarama.FetchResponseBlock has no field recordsNextOffset *int64 any more: find what took its place")
	}
	for name, log := range map[string][]raw{
		"in front":         {rawBatch(0, 99), rawBatch(100, 102, values(3, 10)...)},
		"at the end":       {rawBatch(0, 2, values(3, 10)...), rawBatch(3, 10_000)},
		"in a row":         {rawBatch(0, 99), rawBatch(100, 199), rawBatch(200, 299), rawBatch(300, 302, values(3, 10)...)},
		"before a large":   {rawBatch(0, 99), rawBatch(100, 102, values(3, 100_000)...)},
		"all":              {rawBatch(0, 999)},
		"between":          {rawBatch(0, 2, values(3, 10)...), rawBatch(3, 99), rawBatch(100, 102, values(3, 10)...)},
		"before a hole":    {rawBatch(0, 99), rawBatch(5000, 5002, values(3, 10)...)},
		"large, then them": {rawBatch(0, 2, values(3, 100_000)...), rawBatch(3, 99), rawBatch(100, 199), rawBatch(200, 202, values(3, 100_000)...)},
	} {
		for _, cut := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				c := newCluster(t, 1, 1)
				sc := newScript(t, c, map[int32][]raw{0: log})
				sc.cut = cut
				s := newSource(t, c.ListenAddrs(), Options{MaxWait: 20 * time.Millisecond, PartitionBytes: 100})
				b := openBox(t, s, 0, 0, mib, nil)
				end := log[len(log)-1].last + 1
				want := 0
				for _, r := range log {
					if len(r.bytes) > 61 {
						want += 3
					}
				}
				eventually(t, 5*time.Second, "the end is reached", func() bool { return b.last().Next == end && b.count() == want })
				if n := sc.requests(); n > 12 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

// TestNothingComesOfIt: a broker that claims to have records and sends none is not asked without a pause, the user
// is told, and that it is over.
func TestNothingComesOfIt(t *testing.T) {
	c := newCluster(t, 1, 1)
	sc := newScript(t, c, map[int32][]raw{0: {rawBatch(0, 0, []byte("x"))}})
	sc.override = func(q *kmsg.FetchRequest, p *kmsg.FetchResponse) bool {
		rt, rp := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		rp.HighWatermark, rp.LastStableOffset, rp.RecordBatches = 1000, 1000, []byte{}
		rt.Topic, rt.Partitions = "t", append(rt.Partitions, rp)
		p.Topics = append(p.Topics, rt)
		return true
	}
	notices := make(chan error, 10)
	s := newSource(t, c.ListenAddrs(), Options{MaxWait: 20 * time.Millisecond, Backoff: 20 * time.Millisecond, noticeAfter: 300 * time.Millisecond, Notice: func(err error) { notices <- err }})
	b := openBox(t, s, 0, 0, mib, nil)
	if err := <-notices; err == nil {
		t.Error("a notice that all is well, first")
	}
	if n := sc.requests(); n > 60 {
		t.Errorf("%d requests in 300 ms", n)
	}
	sc.set(nil)
	if err := <-notices; err != nil {
		t.Error(err)
	}
	eventually(t, 5*time.Second, "it reads on", func() bool { return b.count() == 1 })
}
