package committer

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
)

// A flush waits for the last note, does not wait for the interval, and finds the acknowledgement told.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.delay = 11 * ms
		x := newBench(t, b, func(s *Settings) { s.Interval = time.Hour })
		k := x.claim(orders(0))
		k.Commit(at(1), false, nil)
		time.Sleep(5 * ms)
		k.Commit(at(2), false, nil)
		if err := k.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(b.start); d != 22*ms {
			t.Errorf("after %v, want two round trips", d)
		}
		if got := b.committed(orders(0)).offset; got != 2 {
			t.Errorf("committed %d", got)
		}
		told := x.inbox.told()
		if last := told[len(told)-1]; !last.committed || last.next != 2 {
			t.Errorf("told\n%s", x.inbox.words())
		}
		if err := k.Flush(t.Context()); err != nil || len(b.requests()) != 2 {
			t.Errorf("a flush of nothing: %v, %d requests", err, len(b.requests()))
		}
	})
}

// A hundred claims flush at once: one request, or a second one for who came when the first had left.
func TestManyFlushesAreOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(100)...)
		b.delay = 11 * ms
		x := newBench(t, b, func(s *Settings) { s.Interval = time.Hour })
		x.claim(place{"other", 0}).Commit(at(1), true, nil)
		time.Sleep(time.Second)
		var wg sync.WaitGroup
		for p := range int32(100) {
			k := x.claim(orders(p))
			k.Commit(at(9), false, nil)
			wg.Go(func() {
				if err := k.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(b.requests()) - 1; n > 2 {
			t.Errorf("%d requests", n)
		}
		for p := range int32(100) {
			if got := b.committed(orders(p)).offset; got != 9 {
				t.Errorf("partition %d: committed %d", p, got)
			}
		}
	})
}

// What is in flight need not be sent again for a flush.
func TestFlushWaitsForWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.delay = 11 * ms
		x := newBench(t, b)
		k := x.claim(orders(0))
		k.Commit(at(1), true, nil)
		time.Sleep(5 * ms)
		if err := k.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := b.requests(); len(got) != 1 {
			t.Errorf("%d requests", len(got))
		}
	})
}

// A flush ends with its context and with its claim; the first leaves the note to be tried again.
func TestFlushEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.code = func(int, place) sarama.KError {
			if time.Since(b.start) < time.Minute {
				return sarama.ErrGroupAuthorizationFailed
			}
			return sarama.ErrNoError
		}
		x := newBench(t, b)
		k := x.claim(orders(0))
		k.Commit(at(1), false, nil)
		if err := k.Flush(short(t, 5*time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the end of the context: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if got := b.committed(orders(0)).offset; got != 1 {
			t.Errorf("committed %d afterwards", got)
		}

		b.set(func(b *broker) { b.down = errors.New("no route") })
		k.Commit(at(2), false, nil)
		flushed := make(chan error, 1)
		go func() { flushed <- k.Flush(t.Context()) }()
		time.Sleep(time.Second)
		k.Close()
		if err := <-flushed; !errors.Is(err, ErrClosed) {
			t.Errorf("the end of the claim: %v", err)
		}
		if err := k.Flush(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("a flush of a closed claim: %v", err)
		}
	})
}

// Not authorised, and so the pauses are long by now. An operator grants it and stops the consumer: the flush, which has
// two seconds, finds out at once.
func TestAFlushDoesNotWaitForAPause(t *testing.T) {
	for _, code := range []sarama.KError{sarama.ErrTopicAuthorizationFailed, sarama.ErrGroupAuthorizationFailed} {
		synctest.Test(t, func(t *testing.T) {
			b := newBroker(orders(0))
			refuse := func(int, place) sarama.KError { return code }
			b.code = refuse
			x := newBench(t, b)
			k := x.claim(orders(0))
			k.Commit(at(1), true, nil)
			time.Sleep(40 * time.Second) // the next try would be after 61 s
			began := len(b.requests())
			if err := k.Flush(short(t, 2*time.Second)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("refused: %v", err)
			}
			if n := len(b.requests()) - began; n != 1 {
				t.Errorf("%d tries for one flush", n)
			}
			b.set(func(b *broker) { b.code = nil })
			before := time.Now()
			if err := k.Flush(short(t, 2*time.Second)); err != nil || time.Since(before) != 0 {
				t.Errorf("granted: %v after %v", err, time.Since(before))
			}
		})
	}
}
