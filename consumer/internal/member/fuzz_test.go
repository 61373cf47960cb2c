package member

import (
	"errors"
	"flag"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

var seeds = flag.Int64("seeds", 2000, "how many seeds the machine's random test runs")

// world drives one machine with random answers in random order, and keeps a naive account of what the machine
// may own. It does not know the machine's states, only its actions.
type world struct {
	t    *testing.T
	seed int64
	r    *rand.Rand
	m    *machine
	now  instant
	sum  hash.Hash64 // of all actions; nil where nobody compares

	held    map[tp]holding
	pending []event // answers on their way
	errs    []error
	made    int32   // generations
	proven  instant // the latest moment at which a positive answer was sent for
	member  string
	gen     int32
	stopped bool
	stopBy  instant
	hurry   instant // the end of the stop is near
	over    bool
	syncing int // the sync that a coordinator may have

	quiet  instant // when the last answer that knew of no rebalance was sent for
	called bool    // a later one knew of one, and no join has gone out since

	failures int // plans and syncs that failed since the last assignment
	failedAt instant
}

// holding is a partition that the application has; by is the deadline to give it up.
type holding struct{ by instant }

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d: %s; machine: %v coordinator %q owned %d generation %d beat %d request %d stopping %v",
		w.seed, fmt.Sprintf(format, args...), w.m.phase, w.m.coordinator, len(w.m.owned), w.m.generation, w.m.beat, w.m.request, w.m.stopping)
}

func newWorld(t *testing.T, seed int64) *world {
	r := rand.New(rand.NewSource(seed))
	w := &world{t: t, seed: seed, r: r, now: instant{1, 1}, held: map[tp]holding{}, gen: -1}
	set := rules{cooperative: seed%2 == 0, session: 6 * time.Second, rebalance: 10 * time.Second, heartbeat: time.Second, backoff: 50 * time.Millisecond}
	if seed%3 == 0 {
		set.rebalance = 30 * time.Second // the reserve is that of the interval, not half the timeout
	}
	if seed%5 == 0 {
		set.instance = "i"
		set.leaveStatic = seed%10 == 0
	}
	w.m = newMachine(set)
	w.errs = []error{nil, nil, nil, nil, nil, nil, errors.New("network"), sarama.ErrRebalanceInProgress, sarama.ErrUnknownMemberId,
		sarama.ErrIllegalGeneration, sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable, sarama.ErrOffsetsLoadInProgress}
	if r.Intn(20) == 0 {
		w.errs = append(w.errs, sarama.ErrFencedInstancedId, sarama.ErrGroupAuthorizationFailed)
	}
	return w
}

func (w *world) err(of int) error { return w.errs[w.r.Intn(min(of, len(w.errs)))] }

// step gives the machine one event, checks what it wants, and what holds afterwards.
func (w *world) step(e event) {
	w.t.Helper()
	switch e := e.(type) { // what the answer proves, whether or not the machine listens
	case beaten:
		if e.err == nil || code(e.err) == sarama.ErrRebalanceInProgress {
			w.proves(e.sent)
		}
		if e.seq == w.m.beat {
			w.hears(e.sent, e.err)
		}
	case synced:
		if e.seq == w.syncing {
			w.syncing = 0
		}
		if e.seq == w.m.request && e.err == nil {
			w.hears(e.sent, nil)
		}
		w.count(e.seq, e.err)
		if e.err == nil {
			w.proves(e.sent)
		}
	}
	if e, ok := e.(planned); ok && e.err != nil {
		w.count(e.seq, e.err)
	}
	for _, a := range w.m.step(w.now, e) {
		if w.sum != nil {
			_, _ = fmt.Fprint(w.sum, describe(a))
		}
		if w.over {
			w.fatalf("%T after the end", a)
		}
		w.do(a)
	}
	w.check()
}

// describe prints an action; fmt would print an error in it as a pointer.
func describe(a action) string {
	switch a := a.(type) {
	case lose:
		return fmt.Sprint("lose ", a.tps, a.err)
	case notice:
		return fmt.Sprint("notice ", a.err)
	case stalled:
		return fmt.Sprint("stalled ", a.err)
	case fail:
		return fmt.Sprint("fail ", a.err)
	default:
		return fmt.Sprintf("%T%v", a, a)
	}
}

// count notes what an attempt at an assignment has come to, if the machine waits for that.
func (w *world) count(seq int, err error) {
	switch {
	case seq != w.m.request:
	case err == nil:
		w.failures = 0
	case code(err) != sarama.ErrRebalanceInProgress:
		w.failures++
		w.failedAt = w.now
	}
}

// hears notes whether the group waits for our join.
func (w *world) hears(sent instant, err error) {
	switch {
	case err == nil:
		w.quiet, w.called = sent, false
	case code(err) == sarama.ErrRebalanceInProgress:
		w.called = true
	}
}

func (w *world) proves(sent instant) {
	if sent.after(w.proven) {
		w.proven = sent
	}
}

func (w *world) do(a action) {
	w.t.Helper()
	w.request(a)
	switch a := a.(type) {
	case useCoordinator:
		w.syncing = 0
	case identify:
		w.member, w.gen = a.member, a.generation
	case assign:
		if w.stopped {
			w.fatalf("assigned while stopping")
		}
		if w.now.reached(either(w.m.lease, w.m.place)) {
			w.fatalf("assigned %v after the lease", a.tps)
		}
		for _, p := range a.tps {
			if _, ok := w.held[p]; ok {
				w.fatalf("assigned %v, which is held", p)
			}
			w.held[p] = holding{}
		}
	case revoke:
		w.checkDeadline(a)
		for _, p := range a.tps {
			h, ok := w.held[p]
			if !ok || !h.by.never() && !h.by.after(a.by) {
				w.fatalf("revoked %v: held %v, %v", p, ok, h)
			}
			again := !h.by.never()
			if w.held[p] = (holding{a.by}); again {
				continue
			}
			if w.r.Intn(8) > 0 { // else it is never given up
				w.pending = append(w.pending, released{[]tp{p}})
			}
		}
	case lose:
		for _, p := range a.tps {
			h, ok := w.held[p]
			if !ok {
				w.fatalf("lost %v, which is not held", p)
			}
			if errors.Is(a.err, ErrRevokeTimeout) && !w.now.reached(h.by) {
				w.fatalf("lost %v for a deadline that has not come", p)
			}
			if errors.Is(a.err, ErrLease) && !w.now.reached(either(w.m.lease, w.m.place)) {
				w.fatalf("lost %v by a lease that has not ended", p)
			}
			delete(w.held, p)
		}
	case fail:
		w.over = true
		if len(w.held) > 0 {
			w.fatalf("failed with %v", w.held)
		}
	case end:
		w.over = true
		if w.m.instance != "" && !w.m.leaveStatic && w.syncing != 0 && w.m.coordinator != "" && (w.hurry.never() || !w.now.reached(w.hurry)) {
			w.fatalf("a static member has ended while a sync of its own waits")
		}
		if len(w.held) > 0 {
			w.fatalf("ended with %v", w.held)
		}
	}
}

// request puts the answer on its way.
func (w *world) request(a action) {
	w.t.Helper()
	switch a := a.(type) {
	case findCoordinator:
		w.pending = append(w.pending, found{a.seq, "c", w.err(7), w.r.Intn(5) == 0})
	case sendJoin:
		if w.syncing != 0 {
			w.fatalf("a join while a sync waits")
		}
		if pause := min(w.m.backoff<<max(w.failures-1, 0), w.m.rebalance/4, 100*w.m.backoff); w.failures > 0 && !w.now.reached(w.failedAt.add(pause)) {
			w.fatalf("%d attempts at an assignment have failed, and the next one comes at once", w.failures)
		}
		w.made++
		w.called = false
		err := w.err(100)
		if a.member == "" && w.m.instance == "" {
			err = sarama.ErrMemberIdRequired
		}
		if !w.m.cooperative && len(w.held) > 0 {
			w.fatalf("an eager join with %v", w.held)
		}
		if len(a.owned) != len(w.held) || a.generation < 0 && len(a.owned) > 0 {
			w.fatalf("the join claims %v of generation %d, held are %v", a.owned, a.generation, w.held)
		}
		id, leader := fmt.Sprint("m", w.made/10), fmt.Sprint("m", w.made/10-int32(w.r.Intn(2)))
		if w.m.instance != "" && w.r.Intn(3) == 0 {
			leader = w.m.instance + "-00000000-0000-0000-0000-000000000000"
		}
		w.pending = append(w.pending, joined{a.seq, err, w.r.Intn(2) == 0, id, w.made, "p", leader, nil})
	case makePlan:
		w.pending = append(w.pending, planned{a.seq, w.err(7), nil, w.r.Intn(2) == 0})
	case sendSync:
		if a.generation < 0 || a.member == "" {
			w.fatalf("%+v", a)
		}
		var tps []tp
		for p := range int32(8) {
			if w.r.Intn(2) == 0 {
				tps = append(tps, tp{"t", p})
			}
		}
		w.syncing = a.seq
		w.pending = append(w.pending, synced{a.seq, w.now, w.err(100), tps})
	case sendHeartbeat:
		if a.member != w.member || a.generation != w.gen || a.generation < 0 && (w.m.phase != joining || w.m.unnamed()) {
			w.fatalf("%+v, but we are %q in generation %d", a, w.member, w.gen)
		}
		w.pending = append(w.pending, beaten{a.seq, w.now, w.err(100)})
	case sendLeave:
		if w.syncing != 0 && (w.hurry.never() || !w.now.reached(w.hurry)) {
			w.fatalf("a leave while a sync waits")
		}
		if len(w.held) > 0 || !w.stopped || w.m.instance != "" && !w.m.leaveStatic {
			w.fatalf("left with %v", w.held)
		}
		w.pending = append(w.pending, left{a.seq, w.err(8)})
	}
}

func (w *world) checkDeadline(a revoke) {
	w.t.Helper()
	reserve := min(w.m.rules.heartbeat+5*time.Second, w.m.rebalance/2)
	left := w.now.until(a.by)
	switch {
	case left <= 0:
		w.fatalf("the deadline has passed by %v", -left)
	case w.stopped && !w.stopBy.never() && left > max(w.now.until(w.stopBy), time.Millisecond):
		w.fatalf("the deadline %v is after the end of the stop", left)
	case left > w.m.rebalance-reserve:
		if w.stopped && !w.stopBy.never() {
			break
		}
		w.fatalf("the deadline is %v ahead, %v of %v is reserved", left, reserve, w.m.rebalance)
	}
}

// check is what always holds.
func (w *world) check() {
	w.t.Helper()
	mono, wall := w.now.mono-w.proven.mono, w.now.wall-w.proven.wall
	if len(w.held) > 0 && max(mono, wall) >= w.m.session*9/10 {
		w.fatalf("owns %v, but the last proof is %v and %v old", w.held, mono, wall)
	}
	if w.called && !w.m.cooperative && len(w.held) > 0 && w.now.reached(w.quiet.add(w.m.rebalance)) {
		w.fatalf("owns %v, which the group has given away: it has waited for its rebalance timeout", w.held)
	}
	for p, h := range w.held {
		if !h.by.never() && !w.stopped && w.now.reached(h.by.add(w.m.reserve())) {
			w.fatalf("%v should have been given up by %v", p, h.by)
		}
	}
	if n := w.m.next(); !n.never() && w.now.reached(n) {
		w.fatalf("a hot loop: next is now")
	}
}

// run makes steps random moves.
func (w *world) run(steps int) {
	w.t.Helper()
	w.step(start{})
	for range steps {
		if w.over {
			break
		}
		w.move()
	}
}

// summed answers a sum of all actions.
func (w *world) summed(steps int) uint64 {
	w.t.Helper()
	w.sum = fnv.New64a()
	w.run(steps)
	return w.sum.Sum64()
}

func (w *world) move() {
	w.t.Helper()
	n := w.m.next()
	switch x := w.r.Intn(100); {
	case x < 60 && len(w.pending) > 0:
		i := w.r.Intn(len(w.pending))
		e := w.pending[i]
		w.pending = slices.Delete(w.pending, i, i+1)
		if rel, ok := e.(released); ok {
			if h, ok := w.held[rel.tps[0]]; ok && !h.by.never() {
				delete(w.held, rel.tps[0])
			}
		}
		w.now = w.now.add(time.Duration(w.r.Intn(5)) * time.Millisecond)
		w.step(e)
	case x < 62:
		w.step(rejoin{"x"})
	case x < 63:
		w.step(told{w.member, w.gen, w.err(100)})
	case x == 63 && w.r.Intn(10) == 0:
		if w.stopped = true; w.r.Intn(2) == 0 {
			rest := time.Duration(w.r.Intn(8000)) * time.Millisecond
			w.stopBy = w.now.add(rest)
			w.hurry = w.now.add(max(rest-min(w.m.reserve(), rest/4), time.Millisecond))
		}
		w.step(stop{w.stopBy})
	case x == 64 && w.r.Intn(5) == 0: // suspended: only the wall clock has gone on; or somebody has set it
		w.now = w.now.add(time.Millisecond) // no two readings of the monotonic clock are the same
		w.now.wall += time.Duration(w.r.Intn(20)-5) * time.Second
		w.step(tick{})
	case !n.never():
		if d := w.now.until(n); d > 0 {
			w.now = w.now.add(d)
		}
		w.step(tick{})
	case len(w.pending) == 0:
		w.fatalf("stuck")
	}
}

// Random answers, errors, silence and suspension, in random order, against one machine: what it owns is proven,
// it never waits for nothing, and the same events give the same actions.
func TestRandomEvents(t *testing.T) {
	const steps = 200
	for seed := range *seeds {
		if seed < 100 {
			if first, again := newWorld(t, seed).summed(steps), newWorld(t, seed).summed(steps); first != again {
				t.Fatal("not the same twice, seed", seed)
			}
		}
		newWorld(t, seed).run(steps)
	}
}
