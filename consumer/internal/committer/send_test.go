package committer

import (
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

// Four partitions, a record every 0.1 ms each, for 100 ms: 4,000 notes, and the least time between two requests is
// 20 ms.
func TestNotesAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(partitions(4)...))
		var claims []*claim
		for p := range int32(4) {
			claims = append(claims, x.claim(orders(p)))
		}
		for i := range int64(1000) {
			for _, k := range claims {
				k.Commit(at(i+1), false, nil)
			}
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(20 * ms)
		synctest.Wait()
		times := x.broker.times()
		if len(times) != 6 {
			t.Errorf("%d requests, want 6: %v", len(times), times)
		}
		for i := 1; i < len(times); i++ {
			if d := times[i] - times[i-1]; d < 20*ms {
				t.Errorf("requests %d and %d are %v apart", i-1, i, d)
			}
		}
		for p := range int32(4) {
			if got := x.broker.committed(orders(p)).offset; got != 1000 {
				t.Errorf("partition %d: committed %d", p, got)
			}
		}
	})
}

// A first note after a long time goes at once, a second one right behind it waits for the interval.
func TestIntervalIsBetweenRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(orders(0)), func(s *Settings) { s.Interval = 300 * ms })
		k := x.claim(orders(0))
		time.Sleep(time.Second)
		k.Commit(at(1), false, nil)
		time.Sleep(ms)
		k.Commit(at(2), false, nil)
		time.Sleep(time.Second)
		if got := x.broker.times(); len(got) != 2 || got[0] != time.Second || got[1] != 1300*ms {
			t.Errorf("requests at %v, want 1s and 1.3s", got)
		}
	})
}

// Urgent goes at once, and takes with it what is not urgent. While a request is in flight it waits for the answer,
// and not for the interval.
func TestUrgentGoesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(partitions(2)...)
		b.delay = 11 * ms
		x := newBench(t, b, func(s *Settings) { s.Interval = time.Hour })
		lazy, eager := x.claim(orders(0)), x.claim(orders(1))
		eager.Commit(at(1), false, nil) // the first request ever does not wait
		time.Sleep(time.Second)
		lazy.Commit(at(5), false, nil)
		time.Sleep(time.Second)
		eager.Commit(at(2), true, nil)
		time.Sleep(ms)
		eager.Commit(at(3), true, nil)
		eager.Commit(at(4), true, nil)
		time.Sleep(time.Second)
		got := b.requests()
		if len(got) != 3 || got[1].at != 2*time.Second || got[2].at != 2011*ms {
			t.Fatalf("requests at %v, want 0s, 2s and 2.011s", b.times())
		}
		if got[1].blocks[orders(0)].offset != 5 {
			t.Error("the lazy note was left out of the urgent request")
		}
		if got[2].blocks[orders(1)].offset != 4 {
			t.Errorf("the last request has %v", got[2].blocks)
		}
		if b.peak() != 1 {
			t.Errorf("%d requests in flight at once", b.peak())
		}
	})
}

// An urgent note of what is dirty already makes it urgent.
func TestANoteBecomesUrgentLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(orders(0)), func(s *Settings) { s.Interval = time.Hour })
		k := x.claim(orders(0))
		k.Commit(at(1), false, nil)
		time.Sleep(time.Second)
		k.Commit(at(2), false, nil)
		time.Sleep(time.Second)
		k.Commit(at(2), true, nil)
		time.Sleep(time.Second)
		if got := x.broker.times(); len(got) != 2 || got[1] != 2*time.Second {
			t.Errorf("requests at %v, want 0s and 2s", got)
		}
	})
}

// What is dirty is the position and its metadata together.
func TestMetadataIsDirtyByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(orders(0)))
		k := x.claim(orders(0))
		p := at(7)
		for range 3 {
			k.Commit(p, true, nil)
			time.Sleep(time.Second)
			k.Commit(p, true, nil) // the same once more is nothing new
			time.Sleep(time.Second)
			p.Attempt++
		}
		p.Parked, p.Reason = true, "poison"
		k.Commit(p, true, nil)
		time.Sleep(time.Second)
		var got []string
		for _, c := range x.broker.requests() {
			if c.blocks[orders(0)].offset != 7 {
				t.Errorf("offset %d", c.blocks[orders(0)].offset)
			}
			got = append(got, c.blocks[orders(0)].meta)
		}
		want := []string{"", "ottla1:AQEB", "ottla1:AQEC", "ottla1:AQEDAgADBnBvaXNvbg"}
		if len(got) != len(want) {
			t.Fatalf("metadata %q, want %q", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("request %d: %q, want %q", i, got[i], want[i])
			}
		}
	})
}

// A position goes back when the claim says so: after a seek. What Commit said last is what is sent.
func TestAPositionMayGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(orders(0)))
		k := x.claim(orders(0))
		k.Commit(at(100), true, nil)
		time.Sleep(time.Second)
		k.Commit(at(40), true, nil)
		time.Sleep(time.Second)
		if got := x.broker.committed(orders(0)).offset; got != 40 {
			t.Errorf("committed %d, want 40", got)
		}
	})
}

// CommitEach: one done function for each record, in their order, none before its position is acknowledged.
func TestDoneIsCalledInOrderAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		b.delay = 10 * ms
		x := newBench(t, b)
		k := x.claim(orders(0))
		var order []int64
		for i := int64(1); i <= 50; i++ {
			k.Commit(at(i), true, func(err error) {
				if err != nil {
					t.Errorf("%d: %v", i, err)
				}
				if got := b.committed(orders(0)).offset; got < i {
					t.Errorf("done(%d) while %d is committed", i, got)
				}
				order = append(order, i)
			})
			if i%10 == 0 {
				time.Sleep(3 * ms)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(order) != 50 {
			t.Fatalf("%d of 50 are done", len(order))
		}
		for i, n := range order {
			if n != int64(i+1) {
				t.Fatalf("order %v", order)
			}
		}
		if n := len(b.requests()); n > 4 {
			t.Errorf("%d requests: what came during a flight should have gone together", n)
		}
	})
}

// A mailbox notes under its own lock, and takes that lock when it is called back. So Commit never calls done itself:
// not for a claim that is closed, and not for a position that is acknowledged already.
func TestCommitNeverCallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		x := newBench(t, b)
		k := x.claim(orders(0))
		var a answered
		commit := func() {
			k.Commit(at(1), true, a.notBy(t, "claim).Commit"))
			synctest.Wait()
		}
		commit()
		commit() // acknowledged already
		k.Close()
		commit() // closed
		x.Stop()
		commit() // nobody is left to call back
		if got := a.all(); len(got) != 4 || got[0] != nil || got[1] != nil || got[2] != ErrClosed || got[3] != ErrClosed {
			t.Errorf("got %v", got)
		}
		if n := len(b.requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// Nothing is sent without a member id and a generation: a broker would take it for a commit from outside of the group,
// and accept it while the group is empty.
func TestNothingIsSentWithoutAnIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		x := newBench(t, b)
		x.coord.Become("", -1)
		k := x.claim(orders(0))
		k.Commit(at(1), true, nil)
		time.Sleep(time.Hour)
		x.coord.Become("a", -1)
		time.Sleep(time.Hour)
		if got := b.times(); len(got) != 0 {
			t.Fatalf("requests at %v", got)
		}
		x.coord.Become("a", 7)
		synctest.Wait()
		if got := b.committed(orders(0)).offset; got != 1 {
			t.Errorf("committed %d", got)
		}
	})
}

// An acknowledgement is told at once, then every 50 ms at most, and the last one always.
func TestAcknowledgementsAreToldSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(orders(0)), func(s *Settings) { s.Interval = ms })
		k := x.claim(orders(0))
		for i := range int64(500) {
			k.Commit(at(i+1), true, nil)
			time.Sleep(ms)
		}
		time.Sleep(time.Second)
		told := x.inbox.told()
		if len(told) < 10 || len(told) > 12 {
			t.Errorf("%d acknowledgements told in 0.5 s", len(told))
		}
		if last := told[len(told)-1]; last.next != 500 || last.at > 550*ms {
			t.Errorf("the last one told is %v", last)
		}
		for i := 1; i < len(told); i++ {
			if d := told[i].at - told[i-1].at; d < 50*ms {
				t.Errorf("told %v after the one before", d)
			}
		}
	})
}
