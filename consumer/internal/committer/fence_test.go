package committer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// stuck is a supervisor that does not read its inbox.
type stuck struct {
	supervisor.Inbox

	lost []messages.Claim
}

func (s *stuck) Lost(claims []messages.Claim, _ error) { s.lost = append(s.lost, claims...) }

// Partition 3 is lost and the supervisor does not read of it. The handler ends, its commit comes, and the member is in
// generation 8 by then, as B is, which owns 3 and has committed 80.
func TestALostClaimIsFencedBeforeTheSupervisorReadsOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(3), orders(4))
		b.code = func(n int, _ place) sarama.KError {
			if n == 1 {
				return sarama.ErrRebalanceInProgress // so that 9 is still to be sent when 3 is lost
			}
			return sarama.ErrNoError
		}
		x, s := newBench(t, b), &stuck{}
		three, four := x.claim(orders(3)), x.claim(orders(4))
		var a answered
		three.Commit(at(9), true, a.done)
		time.Sleep(5 * ms)
		x.Fencing(s).Lost([]messages.Claim{three.claim}, errors.New("thrown out"))
		x.rebalance()
		b.set(func(b *broker) { b.offsets[orders(3)] = block{offset: 80} })
		three.Commit(at(10), true, a.done)
		four.Commit(at(2), true, nil)
		time.Sleep(time.Minute)
		if got := b.committed(orders(3)).offset; got != 80 {
			t.Errorf("B had committed 80, and now it is %d", got)
		}
		if got := b.committed(orders(4)).offset; got != 2 {
			t.Errorf("the claim that is not lost is committed at %d", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := three.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the flush of a lost claim: %v", err)
		}
		if len(s.lost) != 1 || s.lost[0] != three.claim {
			t.Errorf("the supervisor was told %v", s.lost)
		}
		if errs := a.all(); len(errs) > 0 { // the answer lets the next record out: the supervisor sees to that first
			t.Errorf("answered %v before Close", errs)
		}
		three.Close()
		if errs := a.all(); len(errs) != 2 || !errors.Is(errs[0], ErrClosed) || !errors.Is(errs[1], ErrClosed) {
			t.Errorf("done with %v", errs)
		}
		var last event
		for _, e := range x.inbox.told() {
			if e.claim == three.claim {
				last = e
			}
		}
		if !last.final || last.next != 10 {
			t.Errorf("told last: %v", last)
		}
	})
}

// The supervisor is so late that it opens the claim after the member has lost it. A later claim of the partition has
// nothing to do with that.
func TestAClaimThatIsLostBeforeItIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(3))
		x := newBench(t, b)
		mc := messages.Claim{Group: "g", Topic: "orders", Partition: 3, Sequence: 7}
		x.Fencing(&stuck{}).Lost([]messages.Claim{mc}, errors.New("thrown out"))
		k := x.Claim(mc)
		k.Commit(at(10), true, nil)
		time.Sleep(time.Minute)
		if n := len(b.requests()); n > 0 {
			t.Errorf("%d commits of a lost claim", n)
		}
		k.Close()
		mc.Sequence = 8
		x.Claim(mc).Commit(at(11), true, nil)
		time.Sleep(time.Minute)
		if got := b.committed(orders(3)).offset; got != 11 {
			t.Errorf("the later claim is committed at %d", got)
		}
	})
}
