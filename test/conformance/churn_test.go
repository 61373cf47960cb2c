package conformance

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// churn is a group whose members join and leave cleanly at random while records flow, some of which fail at first.
type churn struct {
	total   int                                             // records, on eight partitions
	change  func(random *rand.Rand, cfg *consumer.Config)   // what is different about a member; nil: nothing
	disturb func(k *kafka, random *rand.Rand, group string) // what happens every 20 ms; nil: nothing
}

// TestChurn: three members join and leave cleanly at random while 20,000 records flow, of which 1 % fail once
// with an error and 1 % with a panic. Each record is processed, in its partition's order, by one handler at a time
// over all members, and none of them twice.
func TestChurn(t *testing.T) {
	churn{total: 20_000}.run(t)
}

// TestChurnOf shows the same of other settings: commits for each record, eager strategies, a list of strategies, a
// partition actor of the user's own that answers later and from elsewhere.
func TestChurnOf(t *testing.T) {
	for name, c := range map[string]churn{
		"CommitEach": {total: 6000, change: func(_ *rand.Rand, cfg *consumer.Config) {
			cfg.Commit.Mode = consumer.CommitEach
		}},
		"Range": {total: 6000, change: func(_ *rand.Rand, cfg *consumer.Config) {
			cfg.Balance = []consumer.Balance{consumer.Range}
		}},
		"Sticky": {total: 6000, change: func(_ *rand.Rand, cfg *consumer.Config) {
			cfg.Balance = []consumer.Balance{consumer.Sticky}
		}},
		"migration, first step": {total: 6000, change: func(random *rand.Rand, cfg *consumer.Config) {
			cfg.Balance = []consumer.Balance{consumer.CooperativeSticky, consumer.Range}[random.IntN(2):]
		}},
		"migration, second step": {total: 6000, change: func(random *rand.Rand, cfg *consumer.Config) {
			cfg.Balance = []consumer.Balance{consumer.CooperativeSticky, consumer.Range}[:1+random.IntN(2)]
		}},
		"actor": {total: 6000, change: func(_ *rand.Rand, cfg *consumer.Config) {
			handle := cfg.Handler
			cfg.Handler, cfg.Actor = nil, func() actor.Actor { return later{handle} }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			alongsideUnlessRaced(t) // those that commit each record would starve
			c.run(t)
		})
	}
}

// TestChurnAmongTroubles shows the same of a cluster in which coordinators and leaders move, connections break,
// and requests of the group are refused.
func TestChurnAmongTroubles(t *testing.T) {
	fakeOnly(t, "a real broker cannot be told to break connections and to refuse requests")
	for name, disturb := range map[string]func(k *kafka, random *rand.Rand, group string){
		"coordinators move": func(k *kafka, random *rand.Rand, _ string) {
			if random.IntN(10) == 0 {
				k.fake.RehashCoordinators()
			}
		},
		"leaders move": func(k *kafka, random *rand.Rand, _ string) {
			if random.IntN(10) == 0 {
				k.fake.ShufflePartitionLeaders()
			}
		},
		"requests get lost": func(k *kafka, random *rand.Rand, _ string) {
			if random.IntN(4) == 0 {
				k.fake.ControlKey(-1, func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errCut, true })
			}
		},
		"answers get lost": func(k *kafka, random *rand.Rand, _ string) {
			if random.IntN(4) == 0 {
				k.cutter.cuts.Add(1)
			}
		},
		"requests are refused": func(k *kafka, random *rand.Rand, group string) {
			keys := []kmsg.Key{kmsg.OffsetCommit, kmsg.Heartbeat, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.LeaveGroup, kmsg.OffsetFetch, kmsg.FindCoordinator}
			errs := []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress}
			if random.IntN(4) == 0 {
				k.fake.Fault(kfake.Fault{
					Group: group, Keys: []kmsg.Key{keys[random.IntN(len(keys))]}, Err: errs[random.IntN(len(errs))],
					TopLevel: random.IntN(2) == 0,
				})
			}
		},
	} {
		t.Run(name, func(t *testing.T) { churn{total: 6000, change: unstick, disturb: disturb}.run(t) })
	}
}

// unstick works around two defects of the broker in this process. When a member joins again whose sync it still holds
// back, because the coordinator moved or a connection broke, it miscounts who has joined, and completes the
// rebalance at its timeout only; and that it puts off with each join that is asked again. So that timeout is short
// (a few seconds, for which a busy machine may keep a member from its heartbeats), and three members ask again so rarely
// that some pause between two of them is longer.
func unstick(_ *rand.Rand, cfg *consumer.Config) {
	cfg.RebalanceTimeout = 4 * time.Second
	cfg.SessionTimeout = 60 * time.Second // of which requests have a sixth, up to 5 s, beyond the rebalance timeout
}

var errCut = errors.New("the connection is cut")

func (c churn) run(t *testing.T) {
	const slots, partitions = 3, 8
	each := c.total / partitions
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each)
	l := newLedger(partitions, each)
	handle := func(ctx context.Context, rec *consumer.Record) error {
		work(ctx.Done(), time.Millisecond)
		return stumble(rec)
	}

	var joins atomic.Int64
	var members sync.WaitGroup
	for slot := range slots {
		members.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(slot)))
			for !l.done() {
				name := name("m")
				cfg := k.config(name, group, topic)
				cfg.Handler = l.keeps(name, handle)
				if c.change != nil {
					c.change(random, &cfg)
				}
				m := start(t, name, cfg)
				joins.Add(1)
				until := l.count() + 200 + random.IntN(1800)
				if !waits(patience, func() bool { return l.done() || l.count() >= until }) {
					t.Errorf("%s: no progress within %v, %d records are processed", name, patience, l.count())
					stacks(t)
					return
				}
				m.leave()
				for _, lost := range told[*messages.ClaimLost](m) {
					t.Errorf("%s lost %v: %v", name, lost.Claim, lost.Err)
				}
				for _, failed := range told[*messages.CommitFailed](m) {
					if failed.Final {
						t.Errorf("%s never committed %d of %v: %v", name, failed.Next, failed.Claim, failed.Err)
					}
				}
			}
		})
	}
	if c.disturb != nil {
		random := rand.New(rand.NewPCG(2, 2))
		for !waits(20*time.Millisecond, l.done) && !t.Failed() {
			c.disturb(k, random, group)
		}
	}
	members.Wait()

	l.clean(t)
	for p, at := range k.committed(group, topic) {
		if at != int64(each) {
			t.Errorf("partition %d: %d is committed, want %d", p, at, each)
		}
	}
	t.Logf("%d members came and went, %d records, %d failures", joins.Load(), l.count(), l.failures)
	if least := int64(c.total / 2000); joins.Load() < least {
		t.Errorf("only %d members came and went, want %d: this was no churn", joins.Load(), least)
	}
	if l.failures < c.total/60 {
		t.Errorf("%d failures: too few", l.failures)
	}
}

var errStumble = errors.New("one in a hundred")

// stumble fails the first attempt at one record in a hundred with an error, and at another one with a panic.
func stumble(rec *consumer.Record) error {
	if rec.Attempt > 0 {
		return nil
	}
	switch (rec.Offset*31 + int64(rec.Partition)*17) % 100 {
	case 3:
		return errStumble
	case 7:
		panic("one in a hundred")
	}
	return nil
}

// later is a partition actor that keeps each record and completes it from another goroutine.
type later struct{ handle consumer.Handler }

// Receive keeps what it gets. What panics in the goroutine would end the process, so that it becomes an error.
func (a later) Receive(c actor.Context) {
	rec, ok := c.Message().(*messages.Record)
	if !ok {
		return
	}
	rec.Keep()
	go func() {
		var err error
		defer func() {
			if recover() != nil {
				err = errStumble
			}
			rec.Complete(err)
		}()
		err = a.handle(rec.Context(), rec)
	}()
}
