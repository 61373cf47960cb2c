package source

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestRangeAndOffsetAt(t *testing.T) {
	c := newCluster(t, 3, 2)
	cl := newProducer(t, c.ListenAddrs())
	for i := range 10 {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Value: []byte("x"), Timestamp: epoch.Add(time.Duration(i) * time.Minute)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.DeleteRecords("t", 0, 2); err != nil {
		t.Fatal(err)
	}
	s := newSource(t, c.ListenAddrs(), Options{})
	check := func() {
		t.Helper()
		if start, end, err := s.Range(t.Context(), "t", 0); err != nil || start != 2 || end != 10 {
			t.Errorf("range %d..%d, %v; want 2..10", start, end, err)
		}
	}
	check()
	if start, end, err := s.Range(t.Context(), "t", 1); err != nil || start != 0 || end != 0 {
		t.Errorf("range of an empty log %d..%d, %v", start, end, err)
	}
	for at, want := range map[time.Time]int64{
		epoch.Add(5 * time.Minute):             5,
		epoch.Add(5*time.Minute + time.Second): 6,
		epoch.Add(-time.Hour):                  2,
		{}:                                     2,
		epoch.Add(time.Hour):                   10, // none: the end
		epoch.Add(9*time.Minute + time.Nanosecond): 9, // Kafka's times are milliseconds
	} {
		if got, err := s.OffsetAt(t.Context(), "t", 0, at); err != nil || got != want {
			t.Errorf("at %v: %d, %v; want %d", at, got, err, want)
		}
	}
	// What is known of the leader is wrong now.
	if err := c.MoveTopicPartition("t", 0, (c.LeaderFor("t", 0)+1)%3); err != nil {
		t.Fatal(err)
	}
	check()
	if err := c.RemoveNode(c.LeaderFor("t", 0)); err != nil {
		t.Fatal(err)
	}
	check()
}

// TestRangeWaitsForTheTopic, and says at the end of its time what it waited for.
func TestRangeWaitsForTheTopic(t *testing.T) {
	c := newCluster(t, 1, 1)
	s := newSource(t, c.ListenAddrs(), Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err := s.Range(ctx, "later", 0)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("%v", err)
	}
	found := make(chan error)
	go func() {
		_, _, err := s.Range(t.Context(), "later", 0)
		found <- err
	}()
	during(50 * time.Millisecond)
	if err := c.CreateTopic("later", 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-found; err != nil {
		t.Error(err)
	}
}

// TestManyRanges: a thousand claims start at once, and that takes few connections and few requests.
func TestManyRanges(t *testing.T) {
	const parts = 1000
	c := newCluster(t, 3, parts)
	var requests atomic.Int64
	for _, key := range []kmsg.Key{kmsg.ListOffsets, kmsg.Metadata} {
		c.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			requests.Add(1)
			return nil, nil, false
		})
	}
	s := newSource(t, c.ListenAddrs(), Options{})
	var wg sync.WaitGroup
	for p := range int32(parts) {
		wg.Go(func() {
			if start, end, err := s.Range(t.Context(), "t", p); err != nil || start != 0 || end != 0 {
				t.Errorf("%d: %d..%d, %v", p, start, end, err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d requests", requests.Load())
	if requests.Load() > 100 {
		t.Error("too many")
	}
	eventually(t, 5*time.Second, "nobody is served any more", func() bool {
		s.lists.mu.Lock()
		defer s.lists.mu.Unlock()
		return len(s.lists.waiting) == 0
	})
}

// TestRangeOfASilentBroker: asked again on another connection, until ctx ends.
func TestRangeOfASilentBroker(t *testing.T) {
	c := newCluster(t, 1, 1)
	var n atomic.Int64
	quiet := make(chan struct{})
	c.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if n.Add(1) <= 2 {
			c.SleepControl(func() { <-quiet })
		}
		return nil, nil, false
	})
	t.Cleanup(func() { close(quiet) })
	s := newSource(t, c.ListenAddrs(), Options{RequestTimeout: 100 * time.Millisecond})
	if _, end, err := s.Range(t.Context(), "t", 0); err != nil || end != 0 {
		t.Errorf("%d, %v", end, err)
	}
	if n.Load() < 4 {
		t.Errorf("%d requests", n.Load())
	}
}
