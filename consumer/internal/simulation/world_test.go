package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/internal/member"
	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
	"github.com/ottla-go/ottla/messages"
)

// world is one schedule while it runs.
type world struct {
	schedule

	cluster *membertest.Cluster
	shelf   *shelf
	store   *store // nil: Kafka keeps the offsets
	letters letters
	ledger  *ledger
	sys     *actor.ActorSystem // of all processes
	there   []*process         // were not told to end
	all     []*process
	born    int
	pending sync.WaitGroup // the operator

	disturbances sync.WaitGroup // those that end later
	disturbed    atomic.Int32   // how many of them are under way
	peace        atomic.Bool    // no disturbance any more: handlers are quick
	slowly       atomic.Bool    // each attempt takes seconds
	back         atomic.Int64   // when what all records need is back, in nanoseconds
}

// live runs a schedule in a bubble, and answers what was seen and what was wrong.
func (s schedule) live(t *testing.T, sys *actor.ActorSystem) (l *ledger) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{schedule: s, cluster: membertest.New(map[string]int{topic: s.partitions}), shelf: newShelf(s.partitions), sys: sys}
		l = newLedger(w.shelf)
		w.ledger = l
		if s.keeps != kafka {
			w.store = newStore(w)
		}
		w.cluster.OnCommit(func(_ string, partition int32, o membertest.Offset) {
			l.commit(partition, o, w.store != nil)
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
	there := w.living()
	if len(there) >= mostProcesses {
		return
	}
	instance := ""
	for n := 0; w.static && (instance == "" || slices.ContainsFunc(there, func(p *process) bool { return p.instance == instance })); n++ {
		instance = fmt.Sprint("i", n)
	}
	w.add(instance)
}

// add starts a process.
func (w *world) add(instance string) *process {
	p := w.start(instance)
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	for _, q := range w.all {
		if instance != "" && q.instance == instance && !q.over && !q.dead {
			p.rival, q.rival = true, true
		}
	}
	w.all = append(w.all, p)
	if !p.gone {
		w.there = append(w.there, p)
	}
	return p
}

func (w *world) leaves(p *process) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	w.there = slices.DeleteFunc(w.there, func(q *process) bool { return p == q })
}

// later does f when d is over.
func (w *world) later(d time.Duration, f func()) {
	w.disturbed.Add(1)
	w.disturbances.Go(func() {
		defer w.disturbed.Add(-1)
		time.Sleep(d)
		f()
	})
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
	if w.store != nil { // whoever was fenced, and has nothing to save, does not know it
		w.store.set(func() { w.store.failed, w.store.unsure = 0, 0 })
		for p := range w.partitions {
			w.shelf.write(int32(p), 1, 0)
		}
	}
	w.letters.set(func() { w.letters.failed, w.letters.unsure = 0, 0 })
	mended := false
	for began := time.Now(); ; { // not at once: who was paused until now has not looked at its clock yet
		if len(w.living()) == 0 { // the last one may learn only now that a second process, which is gone, has fenced it
			w.join()
		}
		time.Sleep(100 * time.Millisecond)
		open := w.ledger.settled(w.keeps)
		if open == "" {
			open = w.twice()
		}
		switch {
		case open == "" && mended:
			return
		case open == "": // what no request has met so far would be met by a drain
			w.cluster.Mend()
			mended = true
		}
		if time.Since(began) > patience {
			w.ledger.violate("not settled %v after the last disturbance:\n%s\n%v", patience, open, w.cluster)
			return
		}
	}
}

// twice says which two processes have the same instance id; "": none. One of them is fenced by its next request.
func (w *world) twice() string {
	named := map[string]*process{}
	for _, p := range w.living() {
		if other := named[p.instance]; other != nil && p.instance != "" {
			return fmt.Sprintf("both %s and %s are %s", other.name, p.name, p.instance)
		}
		named[p.instance] = p
	}
	return ""
}

// finish drains what is there, and waits for the ends of all.
func (w *world) finish() {
	for w.ledger.handling() { // those that were left behind
		time.Sleep(time.Second)
	}
	there := w.living()
	for _, p := range there {
		p.tell(&messages.Drain{})
	}
	for _, p := range w.all {
		err, ended := p.await(5 * time.Minute)
		switch drained := slices.Contains(there, p); {
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
