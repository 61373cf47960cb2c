package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// slow is a group in which a's handlers stand on the second record of both partitions, and b has just joined, so that
// one of them is being taken away.
type slow struct {
	k     *kafka
	l     *ledger
	topic string
	a, b  *member
	given int32 // the partition that goes to b
}

const slowEach = 6 // records in each of two partitions

// startSlow runs the group up to where a has learned of the rebalance.
func startSlow(t *testing.T, limit time.Duration, hold consumer.Handler) *slow {
	t.Helper()
	k := cluster(t)
	s := &slow{k: k, l: newLedger(2, slowEach), topic: k.topic(2)}
	k.fill(s.topic, 2, 0, slowEach)
	cfg := s.config("a", limit)
	cfg.Handler = s.l.keeps("a", func(ctx context.Context, rec *consumer.Record) error {
		if rec.Offset == 1 {
			return hold(ctx, rec)
		}
		return nil
	})
	s.a = start(t, "a", cfg)
	eventually(t, "both partitions stand on their second record", func() bool { return len(s.l.running("a")) == 2 && s.l.count() == 2 })
	cfg = s.config("b", limit)
	cfg.Handler = s.l.keeps("b", nil)
	s.b = start(t, "b", cfg)
	eventually(t, "a gives up a partition", func() bool {
		for p := range s.a.partitions(messages.StateStopping) {
			s.given = p
			return true
		}
		return false
	})
	return s
}

func (s *slow) config(member string, limit time.Duration) consumer.Config {
	cfg := s.k.config(member, "g-"+s.topic, s.topic)
	cfg.RebalanceTimeout, cfg.DrainTimeout = limit, limit
	return cfg
}

// fromB are b's calls on the partition that it got.
func (s *slow) fromB() []try {
	return s.l.calls(func(t try) bool { return t.member == "b" && t.partition == s.given })
}

// TestSlowHandlerAtRevokeInTime: a handler that finishes before the deadline is waited for, its record is committed,
// and the next owner starts behind it.
func TestSlowHandlerAtRevokeInTime(t *testing.T) {
	g := newGate()
	defer g.release()
	s := startSlow(t, rebalance, func(context.Context, *consumer.Record) error { <-g.open; return nil })
	if calls := s.fromB(); len(calls) > 0 {
		t.Errorf("b began %v before a had finished", attempts(calls))
	}
	g.release()
	eventually(t, "all are processed", s.l.done)
	s.b.leave()
	s.a.leave()
	s.l.clean(t)
	calls := s.fromB()
	if len(calls) == 0 || calls[0].offset < 2 {
		t.Errorf("b handled %v, want to start behind the record that a was on", attempts(calls))
	}
	if n := len(told[*messages.Failed](s.a)); n > 0 {
		t.Errorf("%d failures, want none", n)
	}
}

// tight is a rebalance timeout of which half is a reserve: handlers have one second.
const tight = 2 * time.Second

// TestSlowHandlerAtRevokeTooLate: when the deadline has come, the handler's context ends with ErrRevoked. What it
// answers then is no failure, and the next owner handles the record.
func TestSlowHandlerAtRevokeTooLate(t *testing.T) {
	g := newGate()
	defer g.release()
	s := startSlow(t, tight, func(ctx context.Context, _ *consumer.Record) error {
		select {
		case <-g.open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	began := time.Now()
	eventually(t, "b handles the partition that it got", func() bool { return len(s.fromB()) == slowEach-1 })
	if took := time.Since(began); took > tight {
		t.Errorf("the rebalance took %v, its timeout is %v", took, tight)
	}
	cut := s.l.calls(func(c try) bool { return c.member == "a" && c.partition == s.given && c.offset == 1 })
	if len(cut) != 1 || !errors.Is(cut[0].cause, messages.ErrRevoked) {
		t.Errorf("a's handler ended as %+v, want once, with ErrRevoked", cut)
	}
	if first := s.fromB()[0]; first.offset != 1 {
		t.Errorf("b started at %d, want 1", first.offset)
	}
	kept := s.l.running("a")
	if len(kept) != 1 || kept[0].partition == s.given {
		t.Errorf("a runs %+v, want the handler of the partition that it keeps, undisturbed", kept)
	}
	g.release()
	eventually(t, "all are processed", s.l.done)
	s.a.leave()
	s.b.leave()
	s.l.clean(t)
	if n := len(told[*messages.Failed](s.a)); n > 0 {
		t.Errorf("%d failures, want none", n)
	}
}

// TestSlowHandlerAtRevokeIgnored: a handler that ignores the end of its context is abandoned, and the rebalance
// completes in time. The partition comes back to the same member, which finishes it; then the handler returns, with
// success: that moves no offset. And Run ends while another handler still stands, and names that one alone.
func TestSlowHandlerAtRevokeIgnored(t *testing.T) {
	gates := []*gate{newGate(), newGate()} // of each partition
	defer gates[0].release()
	defer gates[1].release()
	s := startSlow(t, tight, func(_ context.Context, rec *consumer.Record) error { <-gates[rec.Partition].open; return nil })
	group, other := "g-"+s.topic, 1-s.given
	defer s.k.neverBack(group, s.topic)()
	committed := func(p int32) int64 { return s.k.committed(group, s.topic)[p] }
	// An abandoned handler runs beside the next owner's, so that the ledger does not come out clean here.
	began := time.Now()
	eventually(t, "b handles the partition that it got", func() bool { return len(s.fromB()) == slowEach-1 })
	if took := time.Since(began); took > tight {
		t.Errorf("the rebalance took %v, its timeout is %v", took, tight)
	}
	if left := told[*messages.Abandoned](s.a); len(left) != 1 || left[0].Claim.Partition != s.given || left[0].Offset != 1 {
		t.Errorf("abandoned: %+v, want the handler on %d@1", left, s.given)
	}
	s.b.leave()
	s.a.owns(2) // of which it abandons the other one's handler in no rebalance: it still stands there
	s.k.fill(s.topic, 2, slowEach, slowEach+4)
	eventually(t, "a has finished the partition that came back", func() bool { return committed(s.given) == slowEach+4 })
	if stuck := s.l.running("a"); len(stuck) != 2 {
		t.Errorf("%d handlers stand, want 2", len(stuck))
	}

	gates[s.given].release() // the handler of the old claim answers nil
	eventually(t, "it has returned", func() bool { return len(s.l.running("a")) == 1 })
	s.k.produceTo(s.topic, s.given, slowEach+4, slowEach+6)
	eventually(t, "the partition goes on", func() bool { return committed(s.given) == slowEach+6 })

	s.a.drain()
	received(t, s.a.ended, "a ends")
	var left *messages.DrainError
	if where := fmt.Sprintf("%s/%d@1", s.topic, other); !errors.As(s.a.result, &left) || len(left.Blocked) != 1 || left.Blocked[0] != where {
		t.Errorf("Run answered %v, want a DrainError that names %s alone", s.a.result, where)
	}
	gates[other].release()
	eventually(t, "the last handler has returned", func() bool { return len(s.l.running("a")) == 0 })
	if at, rest := committed(s.given), committed(other); at != slowEach+6 || rest != 1 {
		t.Errorf("after the end, %d and %d are committed, want %d, and 1 where the handler still stood", at, rest, slowEach+6)
	}
}

// TestSlowHandlerAtTheEnd: Run ends although a handler does not, and names it.
func TestSlowHandlerAtTheEnd(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	k.fill(topic, 1, 0, 3)
	g := newGate()
	defer g.release()
	l := newLedger(1, 3)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.DrainTimeout = time.Second
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == 1 {
			<-g.open
		}
		return nil
	})
	a := start(t, "a", cfg)
	eventually(t, "the second record is in flight", func() bool { return len(l.running("a")) == 1 && l.count() == 1 })
	a.drain()
	received(t, a.ended, "a ends")
	var left *messages.DrainError
	if !errors.As(a.result, &left) || len(left.Blocked) != 1 || left.Blocked[0] != topic+"/0@1" {
		t.Errorf("Run answered %v, want a DrainError that names %s/0@1", a.result, topic)
	}
	if at := k.committed("g-"+topic, topic)[0]; at != 1 {
		t.Errorf("committed %d, want 1: the record in flight is the next owner's", at)
	}
	if state, members := k.group("g-" + topic); members != 0 {
		t.Errorf("the group is %s with %d members: it was not left", state, members)
	}
	g.release()
	eventually(t, "the handler returns", func() bool { return len(l.running("a")) == 0 })
	if at := k.committed("g-"+topic, topic)[0]; at != 1 {
		t.Errorf("the late finish moved the committed offset to %d", at)
	}
}
