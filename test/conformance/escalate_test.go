package conformance

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// busy is a consumer with a record in flight on each of eight partitions, of which one fails for good.
type busy struct {
	k            *kafka
	l            *ledger
	topic, group string
	cfg          consumer.Config
	fail, finish *gate // the one fails; the others finish
}

const (
	busyPartitions = 8
	busyEach       = 5
	busyHead       = int64(2) // that is in flight on each
)

// newBusy makes the brokers and the configuration.
func newBusy(t *testing.T) *busy {
	t.Helper()
	k := cluster(t)
	b := &busy{k: k, l: newLedger(busyPartitions, busyEach), topic: k.topic(busyPartitions), fail: newGate(), finish: newGate()}
	b.group = "g-" + b.topic
	k.fill(b.topic, busyPartitions, 0, busyEach)
	b.cfg = k.config("a", b.group, b.topic)
	b.cfg.DrainTimeout = patience
	b.cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Escalate())}
	b.cfg.Handler = b.l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		switch {
		case rec.Offset != busyHead || rec.Attempt > 0:
			return nil
		case rec.Partition == 0:
			<-b.fail.open
			return errStumble
		}
		<-b.finish.open
		return nil
	})
	return b
}

// escalates waits until all are in flight, has one fail and then the others finish, which nobody hurries.
func (b *busy) escalates(t *testing.T, phase func() string) {
	t.Helper()
	eventually(t, "all partitions are busy", func() bool {
		return len(b.l.running("a")) == busyPartitions && b.l.count() == busyPartitions*int(busyHead)
	})
	b.fail.release()
	eventually(t, "the consumer drains", func() bool { return phase() == "draining" })
	if n := len(b.l.running("a")); n != busyPartitions-1 {
		t.Errorf("%d handlers run while it drains, want %d", n, busyPartitions-1)
	}
	b.finish.release()
}

// left fails the test unless, at the end, each record in flight was finished and committed, but for the one that failed; no
// other was begun; and the group was left. It is called where the end is told.
func (b *busy) left(t *testing.T) {
	t.Helper()
	if _, n := b.k.group(b.group); n != 0 {
		t.Errorf("the group has %d members at the end, want none", n)
	}
	want := map[int32]int64{}
	for p := range int32(busyPartitions) {
		want[p] = busyHead + 1
	}
	want[0] = busyHead
	if at := b.k.committed(b.group, b.topic); !maps.Equal(at, want) {
		t.Errorf("committed %v, want %v", at, want)
	}
	calls := b.l.calls(by("a"))
	if len(calls) != busyPartitions*int(busyHead+1) {
		t.Errorf("%d records were handled, want %d: nothing behind those in flight", len(calls), busyPartitions*int(busyHead+1))
	}
	for _, c := range calls {
		if c.ended.IsZero() || c.cause != nil {
			t.Errorf("%d@%d ended at %s, its context with %v", c.partition, c.offset, c.ended.Format(clock), c.cause)
		}
	}
}

// TestEscalate: a record is escalated while eight partitions are busy. Elsewhere the process dies, or stands. Here the
// records in flight are finished and committed, the group is left, and then Run returns the failure, with its place and its
// cause. The next member has the record again, as its second attempt, and nothing else twice.
func TestEscalate(t *testing.T) {
	t.Parallel()
	b := newBusy(t)
	a := start(t, "a", b.cfg)
	defer b.finish.release()
	defer b.fail.release()
	b.escalates(t, func() string { return a.status().Phase })
	received(t, a.ended, "Run ends")
	b.left(t)
	var failed *messages.EscalatedError
	if !errors.As(a.result, &failed) || !errors.Is(a.result, errStumble) {
		t.Fatalf("Run answered %v, want an EscalatedError with its cause", a.result)
	}
	if f := failed.Failure; f.Where() != b.topic+"/0@2" || f.Attempt != 0 || f.Class != messages.ClassHandler {
		t.Errorf("it says %v", f)
	}
	cfg := b.k.config("b", b.group, b.topic)
	cfg.Handler = b.l.keeps("b", nil)
	next := start(t, "b", cfg)
	eventually(t, "all are processed", b.l.done)
	next.leave()
	b.l.clean(t)
	again := b.l.calls(func(c try) bool { return c.partition == 0 && c.offset == busyHead })
	if got := attempts(again); !slices.Equal(got, []string{"2#0", "2#1"}) {
		t.Errorf("the record was handled as %v", got)
	}
}

// TestEscalateEmbedded: the same of a consumer in an application of actors, whose strategy restarts it, and is asked when the
// old one is gone. The new one joins a second later, as the group's only member, and nothing but the record comes twice.
func TestEscalateEmbedded(t *testing.T) {
	t.Parallel()
	const pause = time.Second
	b := newBusy(t)
	asked := make(chan any, 4)
	var once sync.Once
	a := startApp(t, b.k, actor.NewOneForOneStrategy(10, 0, func(reason any) actor.Directive {
		once.Do(func() { b.left(t) })
		asked <- reason
		return actor.RestartDirective
	}), b.cfg)
	defer b.finish.release()
	defer b.fail.release()
	eventually(t, "it is a member", func() bool { return a.status().Phase == "member" })
	first := a.status().Member
	b.escalates(t, func() string { return a.status().Phase })
	reason := received(t, asked, "the parent's strategy is asked")
	var failed *messages.EscalatedError
	if err, ok := reason.(error); !ok || !errors.As(err, &failed) || !errors.Is(err, errStumble) || failed.Failure.Where() != b.topic+"/0@2" {
		t.Errorf("the parent's strategy saw %v, want an EscalatedError with its place and its cause", reason)
	}
	most := 0
	eventually(t, "all are processed", func() bool {
		_, n := b.k.group(b.group)
		most = max(most, n)
		return b.l.done()
	})
	if second := a.status().Member; second == first || second == "" || most != 1 {
		t.Errorf("the member is %q, and was %q; the group had %d members, want 1: it did not join anew", second, first, most)
	}
	a.sys.Root.Poison(a.child)
	received(t, a.ended, "Terminated")
	b.l.clean(t)
	var old, fresh time.Time // when the last one in flight ended, and when the first one of the new consumer began
	for n, c := range b.l.calls(by("a")) {
		switch {
		case n < busyPartitions*int(busyHead+1):
			old = latest(old, c.ended)
		case fresh.IsZero():
			fresh = c.began
		}
	}
	if gap := fresh.Sub(old); gap < pause {
		t.Errorf("the new consumer handled its first record %v after the old one's last, want %v or more", gap, pause)
	}
	again := b.l.calls(func(c try) bool { return c.partition == 0 && c.offset == busyHead })
	if got := attempts(again); !slices.Equal(got, []string{"2#0", "2#1"}) {
		t.Errorf("the record was handled as %v", got)
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
