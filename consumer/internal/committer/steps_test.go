package committer

import (
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// The three steps of a send, each with the interleaving that the order is for. The loop is stopped in between by the
// lock of a claim that it has to look at.

// refusedOnce is a bench whose first request was refused: its claims will be tried again without being listed.
func refusedOnce(t *testing.T, claims int32) (s *bench, all []*claim, second chan struct{}) {
	t.Helper()
	b := newBroker(partitions(claims)...)
	b.code = func(n int, _ place) sarama.KError {
		if n == 1 {
			return sarama.ErrOffsetsLoadInProgress // for 100 ms
		}
		return sarama.ErrNoError
	}
	second = make(chan struct{})
	b.before = func(n int) {
		if n == 2 {
			close(second)
		}
	}
	s = newBench(t, b, func(s *Settings) { s.Interval = time.Hour })
	hold := s.claim(place{"hold", 0})
	hold.mu.Lock() // until all have something to commit, so that one request has them all
	s.list(hold)
	s.collecting(t) // else it would take the first ones together with hold, and send them alone
	for p := range claims {
		k := s.claim(orders(p))
		k.Commit(at(10), true, nil)
		all = append(all, k)
	}
	hold.mu.Unlock()
	eventually(t, "the first refusal", func() bool { return len(s.inbox.told()) == len(all) })
	return s, all, second
}

// collecting waits until the loop has taken what is listed.
func (x *bench) collecting(t *testing.T) {
	t.Helper()
	eventually(t, "the loop is collecting", func() bool {
		x.Committer.mu.Lock()
		defer x.Committer.mu.Unlock()
		return len(x.listed) == 0
	})
}

// Claims X are put into a request in generation 7, then they are closed and given away in generation 8, then the
// request is sent. It has to carry generation 7, so that the broker refuses it: 80 of the new owner would become 10.
func TestTheIdentityIsReadBeforeClaimsAreLookedAt(t *testing.T) {
	s, all, second := refusedOnce(t, 5)
	b, y := s.broker, all[4]
	y.mu.Lock() // who comes before Y is the map's choice: nobody in one run of five
	var taken []*claim
	within(time.Second, func() bool {
		for _, x := range all[:4] {
			x.mu.Lock()
			if x.flying && !slices.Contains(taken, x) {
				taken = append(taken, x)
			}
			x.mu.Unlock()
		}
		return len(taken) == 4
	})
	for _, x := range taken {
		x.Close()
	}
	s.rebalance()
	for _, x := range taken {
		b.set(func(b *broker) { b.offsets[x.place()] = block{offset: 80} })
	}
	y.mu.Unlock()
	<-second
	s.Stop()
	for _, x := range taken {
		if got := b.committed(x.place()).offset; got != 80 {
			t.Errorf("%v: the new owner had committed 80, and now it is %d", x.claim, got)
		}
	}
	t.Logf("%d claims were taken before", len(taken))
}

// X is closed and given away in generation 8 after the loop has collected what it was told, and before it reads the
// identity, which is that of generation 8 then. So closed claims are left out after that.
func TestClosedClaimsAreLeftOutAfterTheIdentityIsRead(t *testing.T) {
	s, all, second := refusedOnce(t, 2)
	b, x, y := s.broker, all[0], all[1]
	y.mu.Lock()
	s.list(y)
	s.collecting(t)
	x.Close()
	s.rebalance()
	b.set(func(b *broker) { b.offsets[x.place()] = block{offset: 80} })
	y.mu.Unlock()
	<-second
	s.Stop()
	if got := b.committed(x.place()).offset; got != 80 {
		t.Errorf("the new owner had committed 80, and now it is %d", got)
	}
	if got := b.requests()[1]; got.generation != 8 || len(got.blocks) != 1 {
		t.Errorf("the second request is %+v", got)
	}
}
