package source

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

func TestReadsEverythingOnce(t *testing.T) {
	c := newCluster(t, 3, 4)
	fill(t, c.ListenAddrs(), 4000, 4, 100)
	s := newSource(t, c.ListenAddrs(), Options{})
	for p := range int32(4) {
		b := openBox(t, s, p, 10*int64(p), mib, nil)
		eventually(t, 5*time.Second, "everything is read", func() bool { return b.last().Next == 1000 && b.count() == 1000-10*int(p) })
		if err := b.upTo(10*int64(p), 1000); err != nil {
			t.Error(err)
		}
	}
}

// TestSeekIsExact: the first record after a seek is the one that was asked for, without a request of the old
// position in between, beside a partition that is idle and makes every request wait.
func TestSeekIsExact(t *testing.T) {
	c := newCluster(t, 1, 2)
	fill(t, c.ListenAddrs(), 1000, 1, 10)
	s := newSource(t, c.ListenAddrs(), Options{})
	k := newSink(mib)
	claim := newClaim(0)
	s.Open(claim, 0, 7, k)
	openBox(t, s, 1, 0, mib, nil)
	eventually(t, 5*time.Second, "all is read", func() bool { return k.extent().Next == 1000 })
	for i, to := range []int64{20, 999, 0, 500} {
		seek := uint64(8 + i)
		s.Seek(claim, to, seek)
		k.expect(seek, to)
		eventually(t, 5*time.Second, "all is read again", func() bool { return k.extent().Next == 1000 && k.records() == int(1000-to) })
	}
	if err := k.fault(); err != nil {
		t.Error(err)
	}
	s.Close(claim)
}

// TestCloseIsExact: nothing is delivered after Close has returned, while records keep coming.
func TestCloseIsExact(t *testing.T) {
	c := newCluster(t, 1, 1)
	fill(t, c.ListenAddrs(), 50_000, 1, 50)
	s := newSource(t, c.ListenAddrs(), Options{PartitionBytes: 4096})
	for range 20 {
		k := newSink(20_000)
		claim := newClaim(0)
		s.Open(claim, 0, 1, k)
		eventually(t, 5*time.Second, "it has begun", func() bool { return k.records() > 0 })
		s.Close(claim)
		k.end()
		during(2 * time.Millisecond)
		if err := k.fault(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNewerClaimTakesThePlace: a request can name a partition once. The claim that was opened last is the owner.
func TestNewerClaimTakesThePlace(t *testing.T) {
	c := newCluster(t, 1, 1)
	fill(t, c.ListenAddrs(), 10_000, 1, 50)
	s := newSource(t, c.ListenAddrs(), Options{PartitionBytes: 4096})
	old, young := newSink(20_000), newSink(20_000)
	first, second := newClaim(0), newClaim(0)
	s.Open(first, 0, 1, old)
	eventually(t, 5*time.Second, "the first has begun", func() bool { return old.records() > 0 })
	s.Open(second, 100, 1, young)
	old.end()
	s.Close(first) // late, and of no effect on the second
	eventually(t, 5*time.Second, "the second reads on", func() bool { return young.extent().Next == 10_000 })
	for _, k := range []*sink{old, young} {
		if err := k.fault(); err != nil {
			t.Error(err)
		}
	}
	s.Close(second)
}

// TestOutOfRangeAtTheStart, below and beyond the log: told once, and a seek goes on.
func TestOutOfRangeAtTheStart(t *testing.T) {
	c := newCluster(t, 1, 1)
	fill(t, c.ListenAddrs(), 1000, 1, 10)
	if err := c.DeleteRecords("t", 0, 50); err != nil {
		t.Fatal(err)
	}
	s := newSource(t, c.ListenAddrs(), Options{})
	for _, from := range []int64{10, 5000} {
		b := openBox(t, s, 0, from, mib, nil)
		eventually(t, 5*time.Second, "told", func() bool { return len(b.failures()) > 0 })
		during(50 * time.Millisecond)
		errs := b.failures()
		var out *supervisor.OutOfRangeError
		if len(errs) != 1 || !errors.As(errs[0], &out) || out.Offset != from || !errors.Is(errs[0], sarama.ErrOffsetOutOfRange) {
			t.Fatalf("from %d: %v", from, errs)
		}
		start, _, err := s.Range(t.Context(), "t", 0)
		if err != nil || start != 50 {
			t.Fatalf("start %d, %v", start, err)
		}
		s.Seek(b.claim, start, 2)
		eventually(t, 5*time.Second, "reads on", func() bool { return b.last().Next == 1000 && b.count() == 950 })
		if err := b.upTo(50, 1000); err != nil {
			t.Error(err)
		}
	}
}

// TestOutOfRangeInTheMiddle: retention overtakes a partition that was paused for long.
func TestOutOfRangeInTheMiddle(t *testing.T) {
	c := newCluster(t, 1, 1)
	fill(t, c.ListenAddrs(), 10_000, 1, 100)
	s := newSource(t, c.ListenAddrs(), Options{})
	gate := make(chan struct{})
	n := 0
	b := openBox(t, s, 0, 0, 20_000, func(*messages.Record) {
		if n++; n > 20 {
			<-gate
		}
	})
	eventually(t, 5*time.Second, "it has begun", func() bool { return b.count() == 20 })
	b.pause(true)
	close(gate)
	eventually(t, 5*time.Second, "the mailbox is empty", func() bool { return int64(b.count()) == b.last().Next })
	if err := c.DeleteRecords("t", 0, 9_990); err != nil {
		t.Fatal(err)
	}
	b.pause(false)
	eventually(t, 5*time.Second, "told", func() bool { return len(b.failures()) > 0 })
	var out *supervisor.OutOfRangeError
	if !errors.As(b.failures()[0], &out) {
		t.Fatal(b.failures())
	}
	// The one position that is asked for is the one behind all that was delivered.
	if next := b.last().Next; out.Offset != next {
		t.Errorf("out of range at %d, delivered up to %d", out.Offset, next)
	}
	if b.last().LogStart > b.last().Next {
		t.Errorf("extent %+v", b.last())
	}
}

// TestExtentOfTheIdle: lag is known for a partition that brings nothing: at once, and when the end of the log moves.
func TestExtentOfTheIdle(t *testing.T) {
	c := newCluster(t, 1, 1)
	fill(t, c.ListenAddrs(), 10, 1, 10)
	s := newSource(t, c.ListenAddrs(), Options{})
	b := openBox(t, s, 0, 10, mib, nil)
	eventually(t, 5*time.Second, "the extent is told", func() bool { return b.last().HighWater == 10 })
	if x := b.last(); x.Next != 10 || x.LastStable != 10 || x.LogStart != 0 {
		t.Errorf("extent %+v", x)
	}
	b.mu.Lock()
	n := b.deliveries
	b.mu.Unlock()
	during(300 * time.Millisecond) // three long polls
	b.mu.Lock()
	defer b.mu.Unlock()
	if n != 1 || b.deliveries != n {
		t.Errorf("told %d times, then %d times that nothing is new", n, b.deliveries-n)
	}
}

// TestRecordsAreComplete: what is produced comes as it was.
func TestRecordsAreComplete(t *testing.T) {
	c := newCluster(t, 1, 1)
	cl := newProducer(t, c.ListenAddrs())
	at := time.UnixMilli(1_700_000_000_123)
	sent := []kgoRecord{
		{Key: []byte("k"), Value: []byte("v"), Timestamp: at},
		{Value: []byte{}, Timestamp: at.Add(time.Second)},
		{Key: []byte("tombstone"), Timestamp: at},
		{Value: []byte("h"), Timestamp: at, Headers: []kgoHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}}},
	}
	for i := range sent {
		r := sent[i]
		if err := cl.ProduceSync(t.Context(), &r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan *messages.Record, 10)
	s := newSource(t, c.ListenAddrs(), Options{})
	openBox(t, s, 0, 0, mib, func(r *messages.Record) { got <- r })
	for i, want := range sent {
		r := <-got
		if string(r.Key) != string(want.Key) || (r.Key == nil) != (want.Key == nil) || string(r.Value) != string(want.Value) || (r.Value == nil) != (want.Value == nil) {
			t.Errorf("record %d: key %q, value %q", i, r.Key, r.Value)
		}
		if !r.Time.Equal(want.Timestamp) || r.TimeKind != messages.CreateTime || r.Offset != int64(i) || len(r.Headers) != len(want.Headers) {
			t.Errorf("record %d: %v %v %v %v", i, r, r.Time, r.TimeKind, r.Headers)
		}
	}
}

// A handler's SeekTo drew number 2, the supervisor drew 3 and reached the source first: when 2 came after it, the
// source fetched what the backlog dropped, and the partition was silent for ever.
func TestAnOlderSeekUndoesNoNewerOne(t *testing.T) {
	p := &partition{seek: 1, next: 7}
	p.moveTo(40, 3)
	p.moveTo(20, 2)
	if p.seek != 3 || p.next != 40 {
		t.Errorf("seek %d at offset %d, want 3 at 40", p.seek, p.next)
	}
	p.moveTo(50, 4)
	if p.seek != 4 || p.next != 50 {
		t.Errorf("seek %d at offset %d, want 4 at 50", p.seek, p.next)
	}
}

// jump is a log handler that does something at a message: it stands where another goroutine may come in between.
type jump struct {
	slog.Handler

	at string
	do func()
}

func (j *jump) Enabled(context.Context, slog.Level) bool { return true }

func (j *jump) Handle(_ context.Context, r slog.Record) error {
	if r.Message == j.at {
		j.do()
	}
	return nil
}

// TestGivenBackAndReadElsewhere: a lane gives a partition back that it got nothing for. The router puts it on the lane of
// its new leader, which reads on; the first lane, if it then still told the extent of its own answer, would set the
// position back and have the same records delivered twice.
func TestGivenBackAndReadElsewhere(t *testing.T) {
	k := newSink(mib)
	p := &partition{claim: newClaim(0), sink: k, seek: 1}
	elsewhere := &jump{at: "partitions are looked for anew", do: func() {
		p.deliver(0, noRecords{}, actors.Extent{Next: 20, HighWater: 20, LastStable: 20})
	}}
	s := newSource(t, nil, Options{Logger: slog.New(elsewhere)})
	l := newLane(s, laneKey{})
	s.mu.Lock()
	l.add(p)
	s.mu.Unlock()
	p.seclusion.seclude()
	r := &request{apart: true, asks: []ask{{p: p, most: one, usual: one}}}
	l.feed(r, &r.asks[0], &sarama.FetchResponseBlock{HighWaterMarkOffset: 20, LastStableOffset: 20}, false)
	if _, next, _ := p.position(); next != 20 {
		t.Errorf("the position went back to %d", next)
	}
}
