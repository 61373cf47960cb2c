package source

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/messages"
)

func manyBatches(n, records, size int) []raw {
	var log []raw
	for i := range n {
		first := int64(i * records)
		log = append(log, rawBatch(first, first+int64(records)-1, values(records, size)...))
	}
	return log
}

// TestLargeBatchIsNotStarved: a batch larger than its partition's room does not fit an answer beside others, and
// neighbours that always have something take the first place most of the time.
func TestLargeBatchIsNotStarved(t *testing.T) {
	c := newCluster(t, 1, 8)
	logs := map[int32][]raw{0: manyBatches(20, 1, 700_000)}
	for p := range int32(7) {
		logs[p+1] = manyBatches(4000, 1, 10_000)
	}
	sc := newScript(t, c, logs)
	s := newSource(t, c.ListenAddrs(), Options{Connections: 1})
	large := openBox(t, s, 0, 0, 100_000, nil)
	for p := range int32(7) {
		s.Open(newClaim(p+1), 0, 1, newSink(100_000)) // always has room
	}
	eventually(t, 20*time.Second, "all large batches have come", func() bool { return large.count() == 20 })
	if err := large.upTo(0, 20); err != nil {
		t.Error(err)
	}
	// Each of them needs a request. Without the floor and the seclusion it comes when chance puts it first: once in
	// eight requests, of which each brings a little of seven other logs.
	n := sc.requests()
	t.Logf("%d requests for 20 batches", n)
	if n > 60 {
		t.Error("too many")
	}
}

// TestOneOfManyInAnAnswer: more partitions than an answer holds: each gets its share, none is left out, and that is
// no reason to ask for them one by one.
func TestOneOfManyInAnAnswer(t *testing.T) {
	const parts = 32
	c := newCluster(t, 1, parts)
	logs := map[int32][]raw{}
	for p := range int32(parts) {
		logs[p] = manyBatches(50, 1, 20_000)
	}
	sc := newScript(t, c, logs)
	s := newSource(t, c.ListenAddrs(), Options{Connections: 1, MaxBytes: 100_000})
	boxes := make([]*box, parts)
	for p := range boxes {
		boxes[p] = openBox(t, s, int32(p), 0, mib, nil)
	}
	for _, b := range boxes {
		eventually(t, 20*time.Second, "each has its share", func() bool { return b.count() == 50 })
		if err := b.upTo(0, 50); err != nil {
			t.Error(err)
		}
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	single := 0
	for _, asked := range sc.asked[:150] {
		if len(asked) == 1 {
			single++
		}
	}
	if single > 40 {
		t.Errorf("%d of 150 requests were for one partition", single)
	}
}

// TestThrottled: a broker that is over its quota answers with nothing and the time to be quiet (KIP-219). That is no
// sign of starvation; and Stop does not wait for it.
func TestThrottled(t *testing.T) {
	c := newCluster(t, 1, 1)
	sc := newScript(t, c, map[int32][]raw{0: manyBatches(1, 10, 10)})
	n := 0
	sc.override = func(_ *kmsg.FetchRequest, p *kmsg.FetchResponse) bool {
		n++
		p.ThrottleMillis = 150
		if n == 3 {
			p.ThrottleMillis = 60_000
		}
		return n != 2
	}
	s := newSource(t, c.ListenAddrs(), Options{})
	begun := time.Now()
	b := openBox(t, s, 0, 0, mib, nil)
	eventually(t, 5*time.Second, "the second answer came", func() bool { return b.count() == 10 })
	if d := time.Since(begun); d < 150*time.Millisecond {
		t.Errorf("the second request came after %v", d)
	}
	eventually(t, 5*time.Second, "the third answer came", func() bool { return sc.requests() == 3 })
	during(20 * time.Millisecond)
	begun = time.Now()
	s.Stop()
	if d := time.Since(begun); d > time.Second {
		t.Errorf("Stop took %v", d)
	}
}

// TestSlowHandlerStarvesNobody: a handler of 10 ms on one partition, and records of its neighbour on the same
// connection come at once.
func TestSlowHandlerStarvesNobody(t *testing.T) {
	c := newCluster(t, 1, 2)
	fill(t, c.ListenAddrs(), 20_000, 1, 100)
	s := newSource(t, c.ListenAddrs(), Options{Connections: 1})
	slow := openBox(t, s, 0, 0, 100_000, func(*messages.Record) { during(10 * time.Millisecond) })
	eventually(t, 5*time.Second, "the slow one is full", func() bool { return slow.count() > 5 })
	came := make(chan time.Time, 100)
	openBox(t, s, 1, 0, mib, func(*messages.Record) { came <- time.Now() })
	cl := newProducer(t, c.ListenAddrs())
	var worst time.Duration
	for range 30 {
		produce(t, cl, 1, "x")
		sent := time.Now()
		worst = max(worst, (<-came).Sub(sent))
		during(5 * time.Millisecond)
	}
	if worst > 300*time.Millisecond {
		t.Errorf("a record waited for %v", worst)
	}
}
