package committer

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
)

func (x *bench) start(k *claim) (next int64, err error) {
	s, err := k.Start(x.t.Context())
	return s.Next, err
}

// Fifty claims start at once: one request, or a second one for who came when the first had left.
func TestStartsShareARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(50)...)
		b.delay = 5 * ms
		for p := range int32(50) {
			b.offsets[orders(p)] = block{offset: int64(100 + p)}
		}
		x := newBench(t, b, withLog(&logRange{first: 0, end: 1000}))
		var wg sync.WaitGroup
		for p := range int32(50) {
			wg.Go(func() {
				if next, err := x.start(x.claim(orders(p))); err != nil || next != int64(100+p) {
					t.Errorf("partition %d starts at %d, %v", p, next, err)
				}
			})
		}
		wg.Wait()
		if n := len(b.reads()); n > 2 {
			t.Errorf("%d requests", n)
		}
		for _, f := range b.reads() {
			if !f.stable {
				t.Error("the offsets of open transactions would be missed")
			}
		}
	})
}

// A claim's start and another one's commit take turns on the one connection.
func TestReadsAndCommitsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(2)...)
		b.delay = 5 * ms
		x := newBench(t, b, withLog(&logRange{end: 10}), func(s *Settings) { s.Interval = ms })
		k, busy := x.claim(orders(0)), x.claim(orders(1))
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := int64(1); ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(ms):
					busy.Commit(at(i), true, nil)
				}
			}
		})
		for range 20 {
			began := time.Now()
			if _, err := x.start(k); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(began); d > 15*ms {
				t.Errorf("a start took %v beside a busy partition", d)
			}
		}
		close(stop)
		wg.Wait()
		if b.peak() != 1 {
			t.Errorf("%d requests at once on one connection", b.peak())
		}
	})
}

// What passes by itself is waited out; what does not is told at once, with a remedy.
func TestReadErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		code   sarama.KError
		group  bool // the answer's own error, not the partition's
		lasts  bool
		remedy string
	}{
		{"coordinator moves", sarama.ErrNotCoordinatorForConsumer, true, false, ""},
		{"coordinator not available", sarama.ErrConsumerCoordinatorNotAvailable, true, false, ""},
		{"coordinator loads", sarama.ErrOffsetsLoadInProgress, true, false, ""},
		{"an open transaction", sarama.ErrUnstableOffsetCommit, false, false, ""},
		{"a topic that is not known yet", sarama.ErrUnknownTopicOrPartition, false, false, ""},
		{"not authorised for the group", sarama.ErrGroupAuthorizationFailed, true, true, "READ on the group"},
		{"not authorised for the topic", sarama.ErrTopicAuthorizationFailed, false, true, "READ and DESCRIBE on the topic"},
	} {
		t.Run(c.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(orders(0))
				b.offsets[orders(0)] = block{offset: 5}
				b.fetchCode = func(_ int, at place) sarama.KError {
					if (at == place{}) == c.group && time.Since(b.start) < time.Minute {
						return c.code
					}
					return sarama.ErrNoError
				}
				x := newBench(t, b, withLog(&logRange{end: 10}))
				next, err := x.start(x.claim(orders(0)))
				if c.lasts {
					var read *ReadError
					if !errors.As(err, &read) || !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.remedy) || !strings.Contains(err.Error(), "orders/0") {
						t.Errorf("got %v", err)
					}
					if time.Since(b.start) != 0 {
						t.Errorf("told after %v", time.Since(b.start))
					}
					return
				}
				if d := time.Since(b.start); next != 5 || err != nil || d < time.Minute || d > 61*time.Second {
					t.Errorf("starts at %d, %v, after %v", next, err, d)
				}
				if n := len(b.reads()); n < 60 || n > 70 {
					t.Errorf("%d requests in a minute", n)
				}
				if n := strings.Count(x.logs.String(), "cannot be read yet"); n < 5 || n > 7 {
					t.Errorf("%d warnings in a minute:\n%s", n, x.logs)
				}
			})
		})
	}
}

// No answer at all, and a coordinator that is found again.
func TestAStartOutlivesTheCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.offsets[orders(0)] = block{offset: 5}
		b.silent = true
		x := newBench(t, b, withLog(&logRange{end: 10}))
		started := make(chan error, 1)
		go func() {
			_, err := x.start(x.claim(orders(0)))
			started <- err
		}()
		time.Sleep(3 * time.Second)
		x.coord.Move("")
		time.Sleep(30 * time.Second)
		b.set(func(b *broker) { b.silent = false })
		x.coord.Move("broker:2")
		found := time.Now()
		if err := <-started; err != nil || !time.Now().Equal(found) {
			t.Errorf("%v, %v after the coordinator was found", err, time.Since(found))
		}
	})
}

// A group that never committed: Kafka answers with no offsets, the in-process broker kfake with GROUP_ID_NOT_FOUND.
func TestAnUnknownGroupHasCommittedNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.fetchCode = func(int, place) sarama.KError { return sarama.ErrGroupIDNotFound }
		x := newBench(t, b, withLog(&logRange{first: 3, end: 10}))
		if next, err := x.start(x.claim(orders(0))); next != 3 || err != nil {
			t.Errorf("starts at %d, %v", next, err)
		}
	})
}

// Brokers before 2.5 have no RequireStable, and sarama refuses to send it to them.
func TestAnOldBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.offsets[orders(0)], b.oldVersion = block{offset: 5}, true
		x := newBench(t, b, withLog(&logRange{end: 10}))
		for range 2 {
			if next, err := x.start(x.claim(orders(0))); next != 5 || err != nil {
				t.Errorf("starts at %d, %v", next, err)
			}
		}
		if time.Since(b.start) != 0 || len(b.reads()) != 2 {
			t.Errorf("after %v and %d requests", time.Since(b.start), len(b.reads()))
		}
	})
}

// An answer that leaves out what was asked for says nothing about it.
func TestAReadThatIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.offsets[orders(0)] = block{offset: 5}
		b.leaveOut = func(n int, _ place) bool { return n == 1 }
		x := newBench(t, b, withLog(&logRange{end: 10}))
		if next, err := x.start(x.claim(orders(0))); next != 5 || err != nil || len(b.reads()) != 2 {
			t.Errorf("starts at %d, %v, after %d requests", next, err, len(b.reads()))
		}
	})
}

// A start ends with its context and with its claim, and is not asked for any longer.
func TestAStartEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(2)...)
		b.fetchCode = func(int, place) sarama.KError { return sarama.ErrOffsetsLoadInProgress }
		x := newBench(t, b, withLog(&logRange{}))
		k := x.claim(orders(0))
		if _, err := k.Start(short(t, 3*time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the end of the context: %v", err)
		}
		time.AfterFunc(2*time.Second, k.Close)
		if _, err := k.Start(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("the end of the claim: %v", err)
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		n := len(b.reads())
		time.Sleep(time.Minute)
		if len(b.reads()) != n {
			t.Errorf("%d requests for nobody", len(b.reads())-n)
		}
	})
}
