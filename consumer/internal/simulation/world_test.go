package simulation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/internal/member"
	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
	"github.com/ottla-go/ottla/messages"
)

// world is one schedule while it runs.
type world struct {
	schedule

	cluster *membertest.Cluster
	shelf   *shelf
	ledger  *ledger
	sys     *actor.ActorSystem // of all processes
	there   []*process         // were not told to end
	all     []*process
	born    int
	pending sync.WaitGroup // the operator

	disturbances sync.WaitGroup // those that end later
	peace        atomic.Bool    // no disturbance any more: handlers are quick
}

// live runs a schedule in a bubble, and answers what was seen and what was wrong.
func (s schedule) live(t *testing.T, sys *actor.ActorSystem) (l *ledger) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{schedule: s, cluster: membertest.New(map[string]int{topic: s.partitions}), shelf: newShelf(s.partitions), sys: sys}
		l = newLedger(w.shelf)
		w.ledger = l
		w.cluster.OnCommit(func(_ string, partition int32, o membertest.Offset) {
			l.commit(partition, o.Next, o.Member, o.Generation)
		})
		over := make(chan struct{})
		w.pending.Go(func() { w.operate(over) })
		for _, f := range s.faults {
			time.Sleep(f.pause)
			l.note("-- %s", f.text)
			f.do(w)
		}
		w.disturbances.Wait()
		w.calm()
		close(over)
		w.pending.Wait()
		w.finish()
	})
	return l
}

// reserve is what a revocation keeps back, as package consumer has it with a heartbeat every 3 s.
func (s schedule) reserve() time.Duration { return min(8*time.Second, s.rebalance/2) }

func (w *world) join() {
	if len(w.there) < mostProcesses {
		p := w.start()
		w.ledger.mu.Lock()
		defer w.ledger.mu.Unlock()
		w.there, w.all = append(w.there, p), append(w.all, p)
	}
}

func (w *world) leaves(p *process) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	w.there = slices.DeleteFunc(w.there, func(q *process) bool { return p == q })
}

// later does f when d is over.
func (w *world) later(d time.Duration, f func()) {
	w.disturbances.Go(func() {
		time.Sleep(d)
		f()
	})
}

// operate is an operator who looks every few seconds, and has parked heads tried again.
func (w *world) operate(over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-time.After(7 * time.Second):
		}
		for _, p := range w.living() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			ref := consumer.NewRef(w.sys, p.pid)
			status, err := ref.Status(ctx)
			if err == nil {
				for _, s := range status.Partitions {
					if s.State == messages.StateParked {
						_, err = ref.Do(ctx, &messages.RetryHead{Head: messages.Head{Topic: s.Claim.Topic, Partition: s.Claim.Partition, Offset: s.Head}, By: "operator"})
						w.ledger.note("the operator has %s retry %s/%d@%d: %v", p.name, s.Claim.Topic, s.Claim.Partition, s.Head, err)
					}
				}
			}
			cancel()
		}
	}
}

// living are the processes that were not told to end.
func (w *world) living() []*process {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	return slices.Clone(w.there)
}

// patience is how long a group in peace may take: a session, a rebalance, the longest handler, and then some.
const patience = 15 * time.Minute

// calm waits until everything is handled and committed. No disturbance is left.
func (w *world) calm() {
	w.ledger.note("-- peace")
	w.peace.Store(true)
	if len(w.there) == 0 {
		w.join()
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		open := w.ledger.settled()
		if open == "" {
			return
		}
		if time.Since(began) > patience {
			w.ledger.violate("not settled %v after the last disturbance:\n%s\n%v", patience, open, w.cluster)
			return
		}
	}
}

// finish drains what is there, and waits for the ends of all.
func (w *world) finish() {
	for w.ledger.handling() { // those that were left behind
		time.Sleep(time.Second)
	}
	for _, p := range w.there {
		p.tell(&messages.Drain{})
	}
	for _, p := range w.all {
		err, ended := p.over(5 * time.Minute)
		switch drained := slices.Contains(w.there, p); {
		case !ended:
			w.ledger.violate("%s has not ended", p.name)
		case drained && err != nil:
			w.ledger.violate("%s drained in peace and ended with %v", p.name, err)
		}
	}
	time.Sleep(longest) // the handlers of the killed, and protoactor's dead letters
}

// late: the claim was not released in time.
func late(err error) bool { return errors.Is(err, member.ErrRevokeTimeout) }

// assigned is the hook.
func (p *process) assigned(_ context.Context, c messages.Claim) error {
	p.world.ledger.assigned(p, c)
	return nil
}
