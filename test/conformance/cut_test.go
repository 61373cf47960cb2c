package conformance

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// cuts are the ways to cut a member off.
func cuts(t *testing.T, run func(*testing.T, broken)) {
	for _, b := range []broken{{requests: true, answers: true}, {requests: true}, {answers: true}} {
		t.Run(b.String(), func(t *testing.T) {
			t.Parallel() // they wait for sessions
			run(t, b)
		})
	}
}

// TestCut: one of two members is cut off from all brokers for longer than its session, both ways and one way, and nobody
// hangs up. It gives its claims up before the other member has them; elsewhere it works on, and commits what it has done
// when it is back. Here everything that it still sent arrives then, when the other member has long gone on: each commit
// of it is refused, the committed offsets stand as the new owner has left them, nothing is lost, and handled twice is
// only what has changed its owner.
func TestCut(t *testing.T) {
	t.Parallel()
	cuts(t, func(t *testing.T, b broken) {
		const partitions, each, session = 4, 1500, 4 * time.Second
		k := cluster(t)
		topic := k.topic(partitions)
		group := "g-" + topic
		k.fill(topic, partitions, 0, each)
		l, o, w, g := newLedger(partitions, each), newOwners(), newWire(t), newGate()
		defer g.release()
		defer w.mend()
		var stand, hurry atomic.Bool
		var standing atomic.Int32
		run := func(name string, change func(*consumer.Config)) *member {
			cfg := k.config(name, group, topic)
			cfg.SessionTimeout = session
			change(&cfg)
			cfg.Hooks = o.hooks(name)
			cfg.Handler = l.keeps(name, func(ctx context.Context, _ *consumer.Record) error {
				if name == "b" && stand.Load() {
					standing.Add(1)
					<-g.open
				}
				if !hurry.Load() {
					work(ctx.Done(), 4*time.Millisecond)
				}
				return nil
			})
			return start(t, name, cfg)
		}
		a := run("a", w.through)
		other := run("b", func(*consumer.Config) {})
		a.owns(2)
		other.owns(2)
		theirs := slices.Sorted(maps.Keys(owned(a)))
		past := func(at map[int32]int64, more int64) func() bool {
			return func() bool {
				now := k.committed(group, topic)
				return now[theirs[0]] > at[theirs[0]]+more && now[theirs[1]] > at[theirs[1]]+more
			}
		}
		eventually(t, "a has committed", past(nil, 20))
		watched := k.neverBack(group, topic)
		before := k.committed(group, topic)
		k.journal.note("the wire of a is cut: %v", b)
		w.cutACommit(t, b)
		eventually(t, "a has lost its claims", func() bool { return len(told[*messages.ClaimLost](a)) >= 2 })
		other.owns(partitions)
		eventually(t, "b goes on where a has committed last", past(before, 50))

		stand.Store(true)
		var now map[int32]int64
		eventually(t, "b stands, and has committed all before", func() bool {
			now = k.committed(group, topic)
			if standing.Load() < partitions {
				return false
			}
			for p := range int32(partitions) {
				c := l.calls(func(c try) bool { return c.member == "b" && c.partition == p })
				if last := c[len(c)-1]; !last.ended.IsZero() || now[p] != last.offset {
					return false
				}
			}
			return true
		})
		generation := a.status().Generation
		k.journal.note("the wire of a is mended")
		w.mend()
		eventually(t, "a is back in the group", func() bool { s := a.status(); return s.Phase == "member" && s.Generation != generation })
		if b.requests {
			w.fenced(t)
		}
		for p, at := range k.committed(group, topic) {
			if at != now[p] {
				t.Errorf("partition %d: %d was committed by b, and %d is behind what a had sent", p, now[p], at)
			}
		}
		hurry.Store(true)
		g.release()
		a.owns(2)
		other.owns(2)
		eventually(t, "all are processed", l.done)
		a.leave()
		other.leave()
		watched()
		for p, at := range k.committed(group, topic) {
			if at != each {
				t.Errorf("partition %d: %d is committed, want %d", p, at, each)
			}
		}
		l.orderly(t)
		t.Logf("%d claims, %d records were handled twice", o.twice(t), l.explained(t, o))
		if n := len(told[*messages.ClaimLost](other)); n > 0 {
			t.Errorf("b lost %d claims", n)
		}
	})
}

// TestCutStore: a member with an offset store is cut off from the brokers, and not from its store. A handler of it stands,
// and does not look at its context: when it goes on at last, the other member has acquired the partition, and the store
// refuses its transaction by the fence. Every record takes effect once, in order.
func TestCutStore(t *testing.T) {
	t.Parallel()
	cuts(t, func(t *testing.T, b broken) {
		const partitions, each = 4, 1000
		k := cluster(t)
		topic := k.topic(partitions)
		group := "g-" + topic
		k.fill(topic, partitions, 0, each)
		s, w, g := newStore(), newWire(t), newGate()
		for p := range int32(partitions) {
			s.set(p, 0)
		}
		defer g.release()
		defer w.mend()
		var (
			stand, hurry atomic.Bool
			once         sync.Once
			stood        = make(chan *consumer.Record, 1)
			answered     = make(chan error, 1)
		)
		run := func(name string, change func(*consumer.Config)) *member {
			cfg := k.config(name, group, topic)
			cfg.SessionTimeout = 2 * time.Second
			change(&cfg)
			cfg.Offsets = consumer.Offsets{Store: s, Start: consumer.Earliest}
			cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
				if !hurry.Load() {
					work(ctx.Done(), 4*time.Millisecond)
				}
				if name == "a" && stand.Load() {
					mine := false
					once.Do(func() { mine = true })
					if mine {
						stood <- rec
						<-g.open
						err := s.handle(ctx, rec)
						answered <- err
						return err
					}
				}
				return s.handle(ctx, rec)
			}
			return start(t, name, cfg)
		}
		a := run("a", w.through)
		other := run("b", func(*consumer.Config) {})
		a.owns(2)
		other.owns(2)
		eventually(t, "records take effect", func() bool {
			return s.next(0) > 20 && s.next(1) > 20 && s.next(2) > 20 && s.next(3) > 20
		})
		k.journal.note("the wire of a is cut: %v", b)
		w.cut(b)
		stand.Store(true)
		rec := received(t, stood, "a handler of a stands")
		eventually(t, "a has lost its claims", func() bool { return len(told[*messages.ClaimLost](a)) >= 2 })
		other.owns(partitions)
		eventually(t, "b goes on where a stands", func() bool { return s.next(rec.Partition) > rec.Offset+20 })
		g.release()
		if err := received(t, answered, "a's transaction ends"); !errors.Is(err, messages.ErrFenced) {
			t.Errorf("the store answered %v to %v of the old owner, want ErrFenced", err, rec)
		}
		w.mend()
		hurry.Store(true)
		a.owns(2)
		other.owns(2)
		eventually(t, "all have taken effect", func() bool {
			for p := range int32(partitions) {
				if s.next(p) != each {
					return false
				}
			}
			return true
		})
		a.leave()
		other.leave()
		for p := range int32(partitions) {
			s.effect(t, p, span(0, each)...)
		}
	})
}
