package conformance

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// aftermath is what a commit that is refused does to the claim.
type aftermath uint8

const (
	keeps  aftermath = iota // the claim goes on, and the offset is tried again
	loses                   // the coordinator does not know the member: its claims are lost, and it joins again
	leaves                  // somebody else is the member: Run ends
)

// TestCommitIsRefused: what elsewhere is dropped, or retried for ever without a word, or retried by the next owner. Each
// code that a coordinator answers a commit with is told as an event, with the partition and the offset, and in the log; the
// handlers go on meanwhile. When it is over, everything is committed, nothing is lost, and nothing is handled twice unless
// the claim was lost. While one partition is refused, the other one is committed.
func TestCommitIsRefused(t *testing.T) {
	fakeOnly(t, "a real broker cannot be told to refuse commits")
	for _, c := range []struct {
		err   *kerr.Error
		after aftermath
		alone bool // it concerns the partition, not the group
	}{
		{err: kerr.RebalanceInProgress},
		{err: kerr.NotCoordinator},
		{err: kerr.CoordinatorNotAvailable},
		{err: kerr.CoordinatorLoadInProgress},
		{err: kerr.RequestTimedOut},
		{err: kerr.GroupAuthorizationFailed},
		{err: kerr.InvalidGroupID},
		{err: kerr.TopicAuthorizationFailed, alone: true},
		{err: kerr.UnknownTopicOrPartition, alone: true},
		{err: kerr.InvalidCommitOffsetSize, alone: true},
		{err: kerr.OffsetMetadataTooLarge, alone: true}, // and there is no metadata
		{err: kerr.UnknownServerError, alone: true},
		{err: kerr.StaleMemberEpoch, alone: true}, // of a protocol that we do not speak, for any other code
		{err: kerr.IllegalGeneration, after: loses},
		{err: kerr.UnknownMemberID, after: loses},
		{err: kerr.GroupIDNotFound, after: loses},
		{err: kerr.FencedInstanceID, after: leaves},
	} {
		t.Run(c.err.Message, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			const each = 30
			k := cluster(t)
			topic := k.topic(2)
			group := "g-" + topic
			k.fill(topic, 2, 0, each)
			count := -1
			if c.after != keeps {
				count = 1 // with each one the records come again
			}
			refusing := k.fake.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: group, Topic: topic, Partitions: []int32{0}, Err: c.err, Count: count,
			})
			defer refusing.Remove()
			l := newLedger(2, each)
			cfg := k.config("a", group, topic)
			if c.after != keeps {
				cfg.SessionTimeout = 3 * time.Second // a member that is not known any more is still one at the broker
			}
			cfg.Handler = l.keeps("a", nil)
			a := start(t, "a", cfg)
			if c.after != leaves { // who leaves may be gone before it has handled all: the first commit is early
				eventually(t, "all are processed", l.done)
			}
			eventually(t, "it is told", func() bool { return len(told[*messages.CommitFailed](a)) > 0 })
			first := told[*messages.CommitFailed](a)[0]
			if !errors.Is(first.Err, sarama.KError(c.err.Code)) || first.Claim.Partition != 0 || first.Next < 1 || first.Next > each {
				t.Errorf("told %v at %d: %v", first.Claim, first.Next, first.Err)
			}
			if k.journal.count("a WARN", "a commit failed", topic) == 0 {
				t.Error("the log does not say so")
			}
			if c.after == leaves {
				received(t, a.ended, "Run ends")
				if !errors.Is(a.result, sarama.ErrFencedInstancedId) {
					t.Errorf("Run answered %v", a.result)
				}
				cfg.Logger, cfg.Handler = k.journal.logger("b"), l.keeps("b", nil)
				a = start(t, "b", cfg) // the next owner has what was not committed
				eventually(t, "all are processed", l.done)
			}
			if c.after == keeps {
				eventually(t, "it is tried again", func() bool { return refusing.Hits() >= 2 })
				if at, ok := k.committed(group, topic)[0]; ok && c.err != kerr.RequestTimedOut { // which says nothing of what was done
					t.Errorf("committed %d, although it is refused", at)
				}
				if c.alone {
					eventually(t, "the other partition is committed", func() bool { return k.committed(group, topic)[1] == each })
				}
				refusing.Remove()
			}
			eventually(t, "all are committed", func() bool { at := k.committed(group, topic); return at[0] == each && at[1] == each })
			if n := a.status().Counters.CommitsFailed; c.after == keeps && n < 1 {
				t.Errorf("the status counts %d failed commits", n)
			}
			a.leave()
			if c.after == keeps {
				l.clean(t)
				if lost := told[*messages.ClaimLost](a); len(lost) > 0 || told[*messages.CommitFailed](a)[0].Final {
					t.Errorf("%d claims were lost; the first failure is %+v", len(lost), first)
				}
				return
			}
			l.orderly(t)
			if lost := told[*messages.ClaimLost](a); c.after == loses && len(lost) == 0 {
				t.Error("no claim was lost, although the coordinator does not know the member")
			}
		})
	}
}

// TestCommitConnectionLost: the connection breaks while a commit is on its way: before it has arrived, and after it was
// carried out, when nobody hears of it. It is told, and tried again on another connection; no claim ends, nothing is
// lost, handled twice, or taken back.
func TestCommitConnectionLost(t *testing.T) {
	t.Parallel() // most of it is waiting
	const each, breaks = 400, 6
	k := cluster(t)
	topic := k.topic(2)
	group := "g-" + topic
	k.fill(topic, 2, 0, each)
	s := &snips{kind: kmsg.OffsetCommit}
	l := newLedger(2, each)
	var behind atomic.Bool
	cfg := k.config("a", group, topic)
	cfg.Sarama = func(c *sarama.Config) { c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, s }
	cfg.Handler = l.keeps("a", func(ctx context.Context, rec *consumer.Record) error {
		for range 20 { // it does not get to the end before the last break
			if rec.Offset < each-20 || behind.Load() {
				break
			}
			work(ctx.Done(), 100*time.Millisecond)
		}
		work(ctx.Done(), time.Millisecond)
		return nil
	})
	a := start(t, "a", cfg)
	a.owns(2)
	stop := k.neverBack(group, topic)
	for n := range breaks {
		var next *atomic.Int64
		if next = &s.requests; n%2 == 1 {
			next = &s.answers
		}
		next.Store(1)
		eventually(t, "a commit is cut off", func() bool { return next.Load() == 0 })
	}
	behind.Store(true)
	eventually(t, "all are processed", l.done)
	eventually(t, "all are committed", func() bool { at := k.committed(group, topic); return at[0] == each && at[1] == each })
	stop()
	a.leave()
	l.clean(t)
	failed := told[*messages.CommitFailed](a)
	if len(failed) == 0 || failed[0].Final {
		t.Errorf("%d failures were told of %d", len(failed), breaks)
	}
	if lost := told[*messages.ClaimLost](a); len(lost) > 0 {
		t.Errorf("%d claims were lost: %v", len(lost), lost[0].Err)
	}
}

// TestCommitCoordinatorMoved: the group's coordinator is another broker when a record finishes, and no heartbeat finds it
// out: they are answered well by the old one. So the commit has to. It is told, the new coordinator is looked up, and the
// offset is committed there, by the same claim.
func TestCommitCoordinatorMoved(t *testing.T) {
	fakeOnly(t, "TestThreeNodesCoordinatorKilled shows it of real nodes")
	const moves = 5
	k := cluster(t)
	topic := k.topic(1)
	group := "g-" + topic
	l := newLedger(1, moves)
	cfg := k.config("a", group, topic)
	cfg.SessionTimeout = 5 * time.Minute // at the new coordinator nobody has heard of us
	cfg.Handler = l.keeps("a", nil)
	a := start(t, "a", cfg)
	a.owns(1)
	k.fake.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.fake.KeepControl()
		return req.ResponseKind(), nil, true
	})
	generation, claims := a.status().Generation, sequencesOf(a)
	for n := range moves {
		was := k.fake.CoordinatorFor(group)
		for k.fake.CoordinatorFor(group) == was {
			k.fake.RehashCoordinators()
		}
		k.fill(topic, 1, n, n+1)
		eventually(t, "it is committed at the new coordinator", func() bool { return k.committed(group, topic)[0] == int64(n+1) })
	}
	if s := a.status(); s.Generation != generation || !equalSets(claims, sequencesOf(a)) {
		t.Errorf("generation %d and claims %v, before that %d and %v", s.Generation, sequencesOf(a), generation, claims)
	}
	a.leave()
	l.clean(t)
	found := 0
	for _, f := range told[*messages.CommitFailed](a) {
		if errors.Is(f.Err, sarama.ErrNotCoordinatorForConsumer) && !f.Final {
			found++
		}
	}
	if found == 0 {
		t.Errorf("no commit found out that the coordinator has moved, of %d that failed", len(told[*messages.CommitFailed](a)))
	}
}
