package committer

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
)

// A has 10 of partition 3 to commit and is answered REBALANCE_IN_PROGRESS. Partition 3 is revoked, its claim closed; in
// generation 8 B owns it and commits 80. A's next requests carry generation 8 as well, which the broker takes for
// good: if 10 were in one of them, 80 would become 10.
func TestARetryNeverHasAClosedClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(3), orders(4))
		b.code = func(n int, _ place) sarama.KError {
			if n <= 2 {
				return sarama.ErrRebalanceInProgress
			}
			return sarama.ErrNoError
		}
		x := newBench(t, b)
		three, four := x.claim(orders(3)), x.claim(orders(4))
		var a answered
		three.Commit(at(10), true, a.done)
		four.Commit(at(1), true, nil)
		time.Sleep(50 * ms)
		three.Close()
		x.rebalance()
		b.set(func(b *broker) { b.offsets[orders(3)] = block{offset: 80} })
		four.Commit(at(2), true, nil)
		time.Sleep(time.Minute)
		for _, c := range b.requests() {
			if c.generation == 8 && len(c.blocks) != 1 {
				t.Errorf("generation 8 was sent %v", c.blocks)
			}
		}
		if got := b.committed(orders(3)).offset; got != 80 {
			t.Errorf("B had committed 80, and now it is %d", got)
		}
		if got := b.committed(orders(4)).offset; got != 2 {
			t.Errorf("the open claim is committed at %d", got)
		}
		if errs := a.all(); len(errs) != 1 || !errors.Is(errs[0], ErrClosed) {
			t.Errorf("done with %v", errs)
		}
		finals := 0
		for _, e := range x.inbox.told() {
			if e.final {
				finals++
				if e.claim != three.claim || e.next != 10 {
					t.Errorf("told %v", e)
				}
			}
		}
		if finals != 1 {
			t.Errorf("%d final failures told", finals)
		}
	})
}

// The same, when the partition has come back to A: the old claim's offset is not handed to the new claim.
func TestALaterClaimDoesNotInherit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(3))
		b.down = errors.New("no route")
		x := newBench(t, b)
		old := x.claim(orders(3))
		old.Commit(at(10), true, nil)
		time.Sleep(time.Second)
		old.Close()
		x.rebalance()
		x.rebalance()
		b.set(func(b *broker) { b.down = nil; b.offsets[orders(3)] = block{offset: 80} })
		now := x.claim(orders(3))
		old.Commit(at(11), true, nil) // a handler that was left behind returns
		time.Sleep(time.Minute)
		if got := b.committed(orders(3)).offset; got != 80 {
			t.Errorf("committed %d, want 80", got)
		}
		now.Commit(at(81), true, nil)
		time.Sleep(time.Second)
		if got := b.committed(orders(3)).offset; got != 81 {
			t.Errorf("committed %d, want 81", got)
		}
	})
}

// Close while the request is in flight, which carries the newest note: the answer decides what is told.
func TestCloseDuringAFlight(t *testing.T) {
	for _, c := range []struct {
		text    string
		code    sarama.KError
		newer   bool // a note that is not in flight
		told    string
		offset  int64
		request int
	}{
		{"acknowledged", sarama.ErrNoError, false, "10ms committed orders/0#1 1", 1, 1},
		{"refused", sarama.ErrRebalanceInProgress, false, "10ms gave up orders/0#1 1", 0, 1},
		{"acknowledged, with a newer note", sarama.ErrNoError, true, "5ms gave up orders/0#1 2\n10ms committed orders/0#1 1", 1, 1},
		{"refused, with a newer note", sarama.ErrRebalanceInProgress, true, "5ms gave up orders/0#1 2", 0, 1},
	} {
		t.Run(c.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(orders(0))
				b.delay = 10 * ms
				b.code = func(int, place) sarama.KError { return c.code }
				x := newBench(t, b)
				k := x.claim(orders(0))
				var a answered
				k.Commit(at(1), true, a.done)
				time.Sleep(5 * ms)
				if c.newer {
					k.Commit(at(2), true, nil)
				}
				k.Close()
				if errs := a.all(); len(errs) != 1 || errs[0] != ErrClosed {
					t.Errorf("done with %v by Close", errs)
				}
				k.Close()
				time.Sleep(10 * ms)
				x.rebalance()
				time.Sleep(time.Minute)
				if got := x.inbox.words(); got != c.told {
					t.Errorf("told\n%s\nwant\n%s", got, c.told)
				}
				if got := b.committed(orders(0)).offset; got != c.offset {
					t.Errorf("committed %d", got)
				}
				if got := b.requests(); len(got) != c.request {
					t.Errorf("%d requests, want %d", len(got), c.request)
				}
			})
		})
	}
}

// A claim with nothing to commit is closed without a word.
func TestCloseOfWhatIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(partitions(2)...))
		k := x.claim(orders(0))
		k.Commit(at(1), true, nil)
		synctest.Wait()
		k.Close()
		x.claim(orders(1)).Close()
		synctest.Wait()
		if got := x.inbox.words(); got != "0s committed orders/0#1 1" {
			t.Errorf("told\n%s", got)
		}
	})
}

// Two claims of one partition cannot be open: a request names a partition once, and the newer claim says that the
// older one has ended.
func TestANewClaimClosesTheOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		x := newBench(t, b, func(s *Settings) { s.Interval = time.Hour })
		old := x.claim(orders(0))
		old.Commit(at(1), false, nil)
		time.Sleep(time.Second)
		old.Commit(at(2), false, nil)
		now := x.claim(orders(0))
		now.Commit(at(50), true, nil)
		synctest.Wait()
		old.Commit(at(3), true, nil)
		old.Close()
		synctest.Wait()
		if got := b.committed(orders(0)).offset; got != 50 || len(b.requests()) != 2 {
			t.Errorf("committed %d in %d requests", got, len(b.requests()))
		}
		now.Commit(at(51), true, nil)
		synctest.Wait()
		if got := b.committed(orders(0)).offset; got != 51 {
			t.Errorf("closing the old claim has ended the new one: committed %d", got)
		}
	})
}

// Stop cuts the request in flight, closes the claims, and is over when the goroutines are: the bubble would fail else.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(2)...)
		b.silent = true
		x := newBench(t, b)
		k, other := x.claim(orders(0)), x.claim(orders(1))
		var a answered
		k.Commit(at(1), true, a.done)
		time.Sleep(ms)
		other.Commit(at(1), true, a.done)
		started := make(chan error, 1)
		go func() {
			_, err := other.Start(t.Context())
			started <- err
		}()
		synctest.Wait()
		x.Stop()
		if d := time.Since(b.start); d != ms {
			t.Errorf("Stop took %v", d)
		}
		if errs := a.all(); len(errs) != 2 || errs[0] != ErrClosed || errs[1] != ErrClosed {
			t.Errorf("done with %v", errs)
		}
		if err := <-started; err == nil {
			t.Error("a start succeeded")
		}
		told := x.inbox.told()
		if len(told) != 2 || !told[0].final || !told[1].final {
			t.Errorf("told\n%s", x.inbox.words())
		}
		x.Stop()
		late := x.claim(orders(0))
		if err := late.Flush(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("a claim after Stop: %v", err)
		}
		if _, err := late.Start(t.Context()); err == nil {
			t.Error("a start after Stop succeeded")
		}
	})
}
