package member

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// table drives one machine by hand: it keeps the last request of each kind, so that a test can answer it.
type table struct {
	t   *testing.T
	m   *machine
	now instant
	out []action // of the last step
	seq map[reflect.Type]int
}

var usual = rules{
	cooperative: true, session: 40 * time.Second, rebalance: 60 * time.Second,
	heartbeat: 3 * time.Second, backoff: 50 * time.Millisecond,
}

func lay(t *testing.T, change ...func(*rules)) *table {
	r := usual
	for _, f := range change {
		f(&r)
	}
	return &table{t: t, m: newMachine(r), now: instant{1, 1}, seq: map[reflect.Type]int{}}
}

func (x *table) step(e event) *table {
	x.t.Helper()
	x.out = x.m.step(x.now, e)
	for _, a := range x.out {
		if f := reflect.ValueOf(a).FieldByName("seq"); f.IsValid() {
			x.seq[reflect.TypeOf(a)] = int(f.Int())
		}
	}
	return x
}

func (x *table) later(d time.Duration) *table {
	x.now = x.now.add(d)
	return x.step(tick{})
}

// got answers the action of a kind that the last step wanted.
func got[T action](x *table) (a T, ok bool) {
	for _, any := range x.out {
		if a, ok := any.(T); ok {
			return a, true
		}
	}
	return a, false
}

func want[T action](x *table) T {
	x.t.Helper()
	a, ok := got[T](x)
	if !ok {
		x.t.Fatalf("want %T, got %v in phase %v", a, x.said(), x.m.phase)
	}
	return a
}

func wantNo[T action](x *table) {
	x.t.Helper()
	if a, ok := got[T](x); ok {
		x.t.Fatalf("got %T%v in phase %v", a, a, x.m.phase)
	}
}

func (x *table) said() (all []string) {
	for _, a := range x.out {
		all = append(all, describe(a))
	}
	return all
}

func seqOf[T action](x *table) int { return x.seq[reflect.TypeFor[T]()] }

func (x *table) find() *table { return x.step(found{seq: seqOf[findCoordinator](x), addr: "c"}) }

func (x *table) join(member string, generation int32, leader string) *table {
	return x.step(joined{seq: seqOf[sendJoin](x), member: member, generation: generation, protocol: "p", leader: leader})
}

func (x *table) sync(partitions ...int32) *table {
	return x.step(synced{seq: seqOf[sendSync](x), sent: x.now, assigned: parts(partitions...)})
}

// beat answers the heartbeat that is out, or the next one as soon as it is.
func (x *table) beat(err error) *table {
	x.t.Helper()
	if x.m.beat == 0 {
		want[sendHeartbeat](x.later(max(x.now.until(x.m.beatAt), 0)))
	}
	return x.step(beaten{seqOf[sendHeartbeat](x), x.now, err})
}

func parts(ps ...int32) []tp {
	var all []tp
	for _, p := range ps {
		all = append(all, tp{"t", p})
	}
	return all
}

// member brings the table to a stable follower that owns these partitions.
func (x *table) member(partitions ...int32) *table {
	x.t.Helper()
	x.step(start{}).find()
	x.join("m", 1, "l").sync(partitions...)
	if x.m.phase != stable {
		x.t.Fatalf("phase %v", x.m.phase)
	}
	return x.beat(nil)
}

func eagerly(r *rules)       { r.cooperative = false }
func statically(r *rules)    { r.instance = "i" }
func leavingStatic(r *rules) { r.instance, r.leaveStatic = "i", true }

// KIP-394: the first join has no id and is answered with one; the second has it, at once.
func TestTheFirstJoinIsGivenAnID(t *testing.T) {
	x := lay(t).step(start{}).find()
	if a := want[sendJoin](x); a.member != "" {
		t.Errorf("%+v", a)
	}
	x.step(joined{seq: seqOf[sendJoin](x), err: sarama.ErrMemberIdRequired, member: "m"})
	if a := want[sendJoin](x); a.member != "m" {
		t.Errorf("%+v", a)
	}
}

// Cooperative: what is new begins at the sync; what is missing is given up; the next join comes only when all of it
// is released, and claims what is left.
func TestCooperativeRebalance(t *testing.T) {
	x := lay(t).member(0, 1, 2)
	x.beat(sarama.ErrRebalanceInProgress)
	if a := want[sendJoin](x); !slices.Equal(a.owned, parts(0, 1, 2)) || a.generation != 1 {
		t.Errorf("the join claims %v of generation %d", a.owned, a.generation)
	}
	wantNo[revoke](x)
	x.join("m", 2, "l").sync(2, 3)
	if a := want[revoke](x); !slices.Equal(a.tps, parts(0, 1)) || x.now.until(a.by) != 52*time.Second {
		t.Errorf("%v, %v ahead: the deadline is the sync's answer and 60 s, less 3 s + 5 s", a.tps, x.now.until(a.by))
	}
	if a := want[assign](x); !slices.Equal(a.tps, parts(3)) {
		t.Errorf("%v", a.tps)
	}
	wantNo[sendJoin](x.step(released{parts(0)}))
	if a := want[sendJoin](x.step(released{parts(1)})); !slices.Equal(a.owned, parts(2, 3)) || a.generation != 2 {
		t.Errorf("%+v", a)
	}
}

// A rebalance that comes while partitions are given up is joined at once, and claims them still: nobody else may
// have them yet. When it gives one back to us, that is a new claim, after the old one has ended.
func TestARebalanceWhilePartitionsAreGivenUp(t *testing.T) {
	x := lay(t).member(0, 1)
	x.beat(sarama.ErrRebalanceInProgress).join("m", 2, "l").sync(0)
	want[revoke](x)
	x.beat(sarama.ErrRebalanceInProgress)
	if a := want[sendJoin](x); !slices.Equal(a.owned, parts(0, 1)) {
		t.Errorf("claims %v", a.owned)
	}
	wantNo[assign](x.join("m", 3, "l").sync(0, 1))
	wantNo[revoke](x)
	if a := want[assign](x.step(released{parts(1)})); !slices.Equal(a.tps, parts(1)) {
		t.Errorf("%v", a.tps)
	}
}

// Eager: everything is given up before the join, by a deadline that counts from the last heartbeat that knew of no
// rebalance, because the group may be waiting since then.
func TestEagerRebalance(t *testing.T) {
	x := lay(t, eagerly).member(0, 1)
	x.later(2 * time.Second)
	x.beat(sarama.ErrRebalanceInProgress)
	wantNo[sendJoin](x)
	if a := want[revoke](x); !slices.Equal(a.tps, parts(0, 1)) || x.now.until(a.by) != 50*time.Second {
		t.Errorf("%v, %v ahead: 60 s less 8 s, of which 2 s have passed", a.tps, x.now.until(a.by))
	}
	wantNo[sendJoin](x.step(released{parts(0)}))
	if a := want[sendJoin](x.step(released{parts(1)})); len(a.owned) != 0 || a.generation != 1 {
		t.Errorf("%+v", a)
	}
}

// The group rebalances, and the heartbeat that knew of no rebalance is older than usual: there is a moment left to give
// up in, but none of it is after the moment from which the broker waits no more.
func TestAnEagerRevocationEndsBeforeTheBrokersPatience(t *testing.T) {
	for _, c := range []struct{ passed, by time.Duration }{
		{2 * time.Second, 50 * time.Second}, // 60 s less 2 s, and less the reserve of 8 s
		{46 * time.Second, 7 * time.Second}, // half of what is left
		{59 * time.Second, 500 * time.Millisecond},
	} {
		x := lay(t, eagerly, func(r *rules) { r.session = time.Hour }).member(0)
		end := x.m.lastOK.add(60 * time.Second)
		x.now = x.m.lastOK.add(c.passed - 10*time.Millisecond)
		sent := want[sendHeartbeat](x.step(tick{}))
		x.now = x.now.add(10 * time.Millisecond)
		a := want[revoke](x.step(beaten{sent.seq, x.now, sarama.ErrRebalanceInProgress}))
		if got := x.now.until(a.by); got != c.by {
			t.Errorf("%v after the last: %v ahead, want %v", c.passed, got, c.by)
		}
		wantNo[lose](x.later(x.now.until(end) - time.Millisecond))
		if a := want[lose](x.later(time.Millisecond)); !errors.Is(a.err, ErrRevokeTimeout) {
			t.Errorf("%v", a.err)
		}
	}
	x := lay(t, eagerly, func(r *rules) { r.session = time.Hour }).member(0) // the broker may have given all away by now
	x.now = x.now.add(2 * time.Minute)
	want[lose](x.step(tick{}))
	wantNo[revoke](x)
}

// The group throws out whom it waits for in vain, after the rebalance timeout. Where that is less than the session, who
// hears nothing more must not work until the end of its session.
func TestTheLeaseIsNoLongerThanTheGroupsPatience(t *testing.T) {
	for _, kind := range []func(*rules){eagerly, func(*rules) {}} {
		x := lay(t, kind, func(r *rules) { r.rebalance = 15 * time.Second }).member(0)
		x.later(3 * time.Second).beat(nil)
		sent := x.m.lastOK
		x.now = sent.add(15*time.Second - 1)
		wantNo[lose](x.step(tick{}))
		x.now = sent.add(15 * time.Second)
		if a := want[lose](x.step(tick{})); !errors.Is(a.err, ErrLease) || !strings.Contains(a.err.Error(), "RebalanceTimeout = 15s") {
			t.Errorf("%v", a.err)
		}
	}
	x := lay(t, func(r *rules) { r.rebalance, r.instance = 15*time.Second, "static" }).member(0) // its place is kept for its session
	x.later(3 * time.Second).beat(nil)
	x.now = x.m.lastOK.add(15 * time.Second)
	wantNo[lose](x.step(tick{}))
}

// A rebalance is on. As long as heartbeats are answered while our join waits, the group has the join and waits for
// others; one that was answered before the join was sent says nothing about it.
func TestAJoinThatWaitsKeepsThePlace(t *testing.T) {
	x := lay(t, func(r *rules) { r.rebalance = 15 * time.Second }).member(0)
	x.later(3 * time.Second).beat(sarama.ErrRebalanceInProgress)
	want[sendJoin](x)
	for range 20 {
		x.later(3 * time.Second).beat(sarama.ErrRebalanceInProgress)
	}
	wantNo[lose](x)
	sent := x.m.answered
	x.now = sent.add(15*time.Second - 1)
	wantNo[lose](x.step(tick{}))
	x.now = sent.add(15 * time.Second)
	want[lose](x.step(tick{}))

	x = lay(t, func(r *rules) { r.rebalance = 15 * time.Second }).member(0)
	ok := x.m.lastOK
	x.m.retryAt = ok.add(time.Hour) // the join cannot be sent
	for range 4 {
		x.later(3 * time.Second).beat(sarama.ErrRebalanceInProgress)
	}
	wantNo[lose](x)
	x.now = ok.add(15 * time.Second)
	want[lose](x.step(tick{}))
}

// The leader is slow, or our sync has gone astray. Heartbeats are answered well in the new generation, and the group
// throws out whose sync has not come a rebalance timeout after it was made: that was after the last answer of the
// generation before.
func TestASyncThatWaitsDoesNotKeepThePlace(t *testing.T) {
	for _, kind := range []func(*rules){statically, func(*rules) {}} { // the place of a static member is no other in this
		x := lay(t, kind, func(r *rules) { r.rebalance = 15 * time.Second }).member(0)
		x.later(3 * time.Second).beat(sarama.ErrRebalanceInProgress)
		x.later(3 * time.Second).beat(sarama.ErrRebalanceInProgress)
		last := x.m.answered
		want[sendSync](x.later(time.Second).join("m", 2, "l"))
		for range 5 {
			x.later(2 * time.Second).beat(nil)
		}
		x.now = last.add(15*time.Second - 1)
		wantNo[lose](x.step(tick{}))
		x.now = last.add(15 * time.Second)
		want[lose](x.step(tick{}))
	}

	x := lay(t, func(r *rules) { r.rebalance = 15 * time.Second }).member(0)
	x.later(3*time.Second).beat(sarama.ErrRebalanceInProgress).join("m", 2, "l").sync(0)
	for range 10 {
		x.later(3 * time.Second).beat(nil)
	}
	wantNo[lose](x)
}

// A consumer that stops takes its time, until the group rebalances: an eager group waits for its join only for so long.
func TestAnEagerDrainThatARebalanceFinds(t *testing.T) {
	x := lay(t, eagerly, func(r *rules) { r.session = time.Hour }).member(0)
	x.step(stop{x.now.add(time.Hour)})
	want[revoke](x)
	x.later(3 * time.Second).beat(nil)
	x.later(3 * time.Second).beat(sarama.ErrRebalanceInProgress)
	end := x.m.lastOK.add(60 * time.Second)
	if a := want[revoke](x); a.by != end.add(-8*time.Second) {
		t.Errorf("told again with %v less than the group waits, want the reserve", a.by.until(end))
	}
	wantNo[lose](x.later(x.now.until(end) - time.Millisecond))
	want[lose](x.later(time.Millisecond))
	want[sendLeave](x)
}

// The lease is over when the last partition is released. What the assignment has for us may be another member's by now;
// it is taken when a heartbeat says that we are in the group still.
func TestNothingIsAssignedAfterTheLease(t *testing.T) {
	x := lay(t).member(0)
	x.beat(sarama.ErrRebalanceInProgress).join("m", 2, "l").sync() // 0 is taken away
	want[revoke](x)
	x.beat(sarama.ErrRebalanceInProgress).join("m", 3, "l").sync(0) // and given back
	x.now.wall += time.Hour
	wantNo[assign](x.step(released{parts(0)}))
	want[assign](x.later(time.Millisecond).beat(nil))
}

// The reserve never takes more than half of a short rebalance timeout.
func TestTheReserveOfAShortRebalanceTimeout(t *testing.T) {
	x := lay(t, func(r *rules) { r.rebalance = 6 * time.Second }).member(0)
	x.beat(sarama.ErrRebalanceInProgress).join("m", 2, "l").sync()
	if a := want[revoke](x); x.now.until(a.by) != 3*time.Second {
		t.Errorf("%v ahead", x.now.until(a.by))
	}
}

// The supervisor abandons what does not end and releases it. Should it not, the rebalance timeout makes it lost:
// the others must have it some time.
func TestWhatIsNeverReleasedIsLostInTheEnd(t *testing.T) {
	x := lay(t).member(0, 1)
	x.beat(sarama.ErrRebalanceInProgress).join("m", 2, "l").sync(1)
	by := want[revoke](x).by
	alive := func(until instant) {
		for x.now.until(until) > time.Second {
			x.later(time.Second)
			wantNo[lose](x)
			if x.m.beat != 0 {
				wantNo[lose](x.beat(nil))
			}
		}
	}
	alive(by.add(8 * time.Second))
	x.later(time.Second)
	if a := want[lose](x); !slices.Equal(a.tps, parts(0)) || !errors.Is(a.err, ErrRevokeTimeout) {
		t.Errorf("%+v", a)
	}
	if a := want[sendJoin](x); !slices.Equal(a.owned, parts(1)) {
		t.Errorf("%+v", a)
	}
}

// A machine that was suspended has clocks that went differently far. What comes next is what comes first by either.
func TestWhatComesNextAfterASleep(t *testing.T) {
	x := lay(t).member(0, 1)
	x.beat(sarama.ErrRebalanceInProgress).join("m", 2, "l").sync(1)
	over := want[revoke](x).by.add(8 * time.Second)
	sleep := func(d time.Duration) {
		x.now.wall += d
		if x.later(time.Millisecond); x.m.beat == 0 {
			x.later(max(x.now.until(x.m.beatAt), 0))
		}
		x.beat(nil)
	}
	sleep(0)
	x.later(10 * time.Second).beat(nil) // the usual interval from here on
	sleep(20 * time.Second)
	sleep(10 * time.Second)
	sleep(over.wall - time.Second - x.now.wall)
	if d := x.now.until(x.m.next()); d > time.Second {
		t.Errorf("it wants a tick in %v, and has to end a claim in a second, by the wall clock", d)
	}
}

// Heartbeats come after 50 ms, then at doubling intervals, up to the usual one.
func TestHeartbeatsAreCloseTogetherAfterAJoin(t *testing.T) {
	x := lay(t).step(start{}).find().join("m", 1, "l")
	want[sendHeartbeat](x) // between join and sync, with the new generation
	x.beat(nil)
	x.sync(0)
	var gaps []time.Duration
	for range 8 {
		wait := x.now.until(x.m.beatAt)
		gaps = append(gaps, wait)
		want[sendHeartbeat](x.later(wait))
		x.beat(nil)
	}
	const ms = time.Millisecond
	if !slices.Equal(gaps, []time.Duration{50 * ms, 50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3000 * ms}) {
		t.Errorf("%v", gaps)
	}
}

// The lease counts from when a heartbeat was sent, not from when it was answered.
func TestTheLeaseCountsFromTheSend(t *testing.T) {
	x := lay(t).member(0)
	sent := want[sendHeartbeat](x.later(50 * time.Millisecond))
	at := x.now
	x.now = x.now.add(4 * time.Second)
	x.step(beaten{sent.seq, at, nil})
	if left := x.now.until(x.m.lease); left != 32*time.Second {
		t.Errorf("%v left of the lease: 90 %% of 40 s are 36 s, and 4 s have passed since the send", left)
	}
}

// A machine that was suspended has a monotonic clock that knows nothing of it. The wall clock does: everything is
// lost before anything else is done, and the next join has the id, but claims nothing.
func TestTheLeaseEndsWhileTheMachineIsSuspended(t *testing.T) {
	x := lay(t).member(0, 1)
	x.now.wall += time.Hour
	x.step(tick{})
	if a, ok := x.out[0].(lose); !ok || !slices.Equal(a.tps, parts(0, 1)) || !errors.Is(a.err, ErrLease) {
		t.Fatalf("first of all: %v", x.said())
	}
	if a := want[sendJoin](x); a.member != "m" || a.generation != -1 || len(a.owned) != 0 {
		t.Errorf("%+v", a)
	}
}

// A wall clock that is set back does not prolong the lease.
func TestTheLeaseEndsThoughTheClockIsSetBack(t *testing.T) {
	x := lay(t).member(0)
	x.now.wall -= time.Hour
	x.now = x.now.add(35 * time.Second)
	wantNo[lose](x.step(tick{}))
	want[lose](x.later(time.Second))
}

// The lease ends while a sync is out. Its answer, sent before we fell silent, must not make us an owner; nor may the
// member be stable without a generation, for then it would never heartbeat again.
func TestTheLeaseEndsWhileASyncIsOut(t *testing.T) {
	x := lay(t).member(0)
	x.beat(sarama.ErrRebalanceInProgress).join("m", 2, "l")
	sent := x.now
	want[lose](x.later(37 * time.Second))
	x.step(synced{seq: seqOf[sendSync](x), sent: sent, assigned: parts(0)})
	wantNo[assign](x)
	want[sendJoin](x)
}

// A heartbeat of the old generation is on its way when the join is answered. The broker has the new generation by
// then and answers ILLEGAL_GENERATION, which says nothing about us.
func TestAHeartbeatOfTheOldGenerationIsAnsweredLate(t *testing.T) {
	x := lay(t).member(0)
	x.beat(sarama.ErrRebalanceInProgress)
	old := want[sendHeartbeat](x.later(3 * time.Second))
	x.join("m", 2, "l").sync(0)
	wantNo[lose](x.step(beaten{old.seq, x.now, sarama.ErrIllegalGeneration}))
	if x.m.beat == 0 {
		t.Error("the answer was taken for that to the heartbeat of now")
	}
}

// The answer to a heartbeat overtakes the answer to the join.
func TestIllegalGenerationWhileAJoinIsOut(t *testing.T) {
	x := lay(t).member(0)
	x.beat(sarama.ErrRebalanceInProgress).later(3 * time.Second)
	wantNo[lose](x.beat(sarama.ErrIllegalGeneration))
	if x.m.phase != joining {
		t.Errorf("phase %v", x.m.phase)
	}
	wantNo[lose](x.join("m", 2, "l").sync(0))
}

// Thrown out while a join waits: lost at once, and the join is not repeated: it will be told so, too.
func TestUnknownMemberWhileAJoinIsOut(t *testing.T) {
	x := lay(t).member(0)
	x.beat(sarama.ErrRebalanceInProgress).later(3 * time.Second)
	x.beat(sarama.ErrUnknownMemberId)
	want[lose](x)
	wantNo[sendJoin](x.later(10 * time.Second))
	x.step(joined{seq: seqOf[sendJoin](x), err: sarama.ErrUnknownMemberId})
	if a := want[sendJoin](x.later(time.Second)); a.member != "" || a.generation != -1 || len(a.owned) != 0 {
		t.Errorf("%+v", a)
	}
}

// A broker that has forgotten us, or the whole group.
func TestUnknownMemberLosesTheID(t *testing.T) {
	for _, code := range []sarama.KError{sarama.ErrUnknownMemberId, sarama.ErrGroupIDNotFound} {
		x := lay(t).member(0)
		x.later(50 * time.Millisecond)
		x.beat(code)
		want[lose](x)
		if a := want[identify](x); a.member != "" || a.generation != -1 {
			t.Errorf("%+v", a)
		}
		if a := want[sendJoin](x.later(time.Second)); a.member != "" {
			t.Errorf("%+v", a)
		}
	}
}

func TestIllegalGenerationKeepsTheID(t *testing.T) {
	x := lay(t).member(0)
	x.later(50 * time.Millisecond)
	x.beat(sarama.ErrIllegalGeneration)
	want[lose](x)
	if a := want[sendJoin](x.later(time.Second)); a.member != "m" || a.generation != -1 || len(a.owned) != 0 {
		t.Errorf("%+v", a)
	}
}

// A coordinator that is gone ends nothing: connections are dropped, it is looked for after a pause that doubles, and
// a heartbeat goes out as soon as it is found. A join that was in flight is repeated.
func TestTheCoordinatorIsLookedForPaced(t *testing.T) {
	x := lay(t).member(0)
	x.beat(sarama.ErrRebalanceInProgress)
	x.step(joined{seq: seqOf[sendJoin](x), err: sarama.ErrNotCoordinatorForConsumer})
	if a := want[useCoordinator](x); a.addr != "" {
		t.Errorf("%+v", a)
	}
	var pauses []time.Duration
	for range 6 {
		wantNo[findCoordinator](x)
		pauses = append(pauses, x.now.until(x.m.next()))
		want[findCoordinator](x.later(pauses[len(pauses)-1]))
		x.step(found{seq: seqOf[findCoordinator](x), err: context.DeadlineExceeded})
	}
	const ms = time.Millisecond
	if !slices.Equal(pauses, []time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 500 * ms, 500 * ms}) {
		t.Errorf("%v", pauses)
	}
	want[findCoordinator](x.later(500 * ms))
	x.find()
	if a := want[sendHeartbeat](x); a.generation != 1 {
		t.Errorf("%+v", a)
	}
	if a := want[sendJoin](x); !slices.Equal(a.owned, parts(0)) {
		t.Errorf("%+v", a)
	}
}

// LOADING is the coordinator, only not yet: the connections stay.
func TestALoadingCoordinatorIsWaitedFor(t *testing.T) {
	x := lay(t).member(0)
	x.later(50 * time.Millisecond)
	x.beat(sarama.ErrOffsetsLoadInProgress)
	wantNo[useCoordinator](x)
	wantNo[lose](x)
	wantNo[sendHeartbeat](x)
	want[sendHeartbeat](x.later(50 * time.Millisecond))
}

// The other members let a join wait for longer than our own timeout. While heartbeats are answered the coordinator
// is alive, and only the join is repeated.
func TestAJoinThatTimesOutIsRepeated(t *testing.T) {
	x := lay(t).member(0)
	x.beat(sarama.ErrRebalanceInProgress).later(3 * time.Second)
	x.beat(sarama.ErrRebalanceInProgress)
	out := joined{seq: seqOf[sendJoin](x), err: context.DeadlineExceeded, timedOut: true}
	want[sendJoin](x.step(out))
	wantNo[useCoordinator](x)

	out.seq = seqOf[sendJoin](x) // and now heartbeats are not answered either
	x.now = x.now.add(time.Second)
	want[useCoordinator](x.step(out))
}

// The next rebalance is on before our sync: it is joined at once. When that goes on and on, there is a pause.
func TestASyncThatComesTooLate(t *testing.T) {
	x := lay(t).step(start{}).find()
	for i := range int32(2) {
		x.join("m", i+1, "l").step(synced{seq: seqOf[sendSync](x), err: sarama.ErrRebalanceInProgress})
		want[sendJoin](x)
	}
	x.join("m", 3, "l").step(synced{seq: seqOf[sendSync](x), err: sarama.ErrRebalanceInProgress})
	wantNo[sendJoin](x)
	want[sendJoin](x.later(50 * time.Millisecond))
}

// A leader whose metadata cannot be had starts over, paced, and heartbeats go on meanwhile.
func TestAPlanThatCannotBeMade(t *testing.T) {
	x := lay(t).step(start{}).find().join("m", 1, "m")
	if a := want[makePlan](x); a.generation != 1 || a.protocol != "p" {
		t.Errorf("%+v", a)
	}
	if !want[watch](x).on {
		t.Error("a leader must watch the topics")
	}
	x.step(planned{seq: seqOf[makePlan](x), err: errors.New("nobody answers")})
	wantNo[sendJoin](x)
	wantNo[useCoordinator](x)
	want[sendJoin](x.later(50 * time.Millisecond))
}

// Each attempt at an assignment makes the whole group rebalance, and between two of them the coordinator answers joins
// and heartbeats well. So only an assignment that comes about ends the pauses, which grow to seconds, and the trouble
// that a user reads of.
func TestAssignmentsThatKeepFailing(t *testing.T) {
	refusal := errors.New("the strategy failed")
	for name, fail := range map[string]func(x *table){
		"plan": func(x *table) { x.join("m", 1, "m").step(planned{seq: seqOf[makePlan](x), err: refusal}) },
		"sync": func(x *table) {
			x.join("m", 1, "l").step(synced{seq: seqOf[sendSync](x), err: sarama.ErrUnknown})
		},
		"unreadable assignment": func(x *table) {
			x.join("m", 1, "l").step(synced{seq: seqOf[sendSync](x), err: unusable{refusal}})
		},
		"join": func(x *table) { x.step(joined{seq: seqOf[sendJoin](x), err: sarama.ErrUnknown}) },
	} {
		t.Run(name, func(t *testing.T) {
			x := lay(t).member(0)
			x.beat(sarama.ErrRebalanceInProgress)
			var pauses []time.Duration
			told := 0
			for range 9 {
				fail(x)
				wantNo[useCoordinator](x) // it is the coordinator, and heartbeats and commits need it
				failed := x.now
				for x.m.phase != joining {
					x.later(max(x.now.until(x.m.next()), 0))
					if s, ok := got[stalled](x); ok && s.err != nil {
						told++
					}
					if x.m.beat != 0 && x.m.phase != joining {
						x.beat(nil)
					}
				}
				pauses = append(pauses, x.now.mono-failed.mono)
			}
			const ms = time.Millisecond
			if !slices.Equal(pauses, []time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms}) {
				t.Errorf("pauses %v", pauses)
			}
			if told != 1 {
				t.Errorf("told %d times in %v", told, x.now.mono)
			}
			x.join("m", 2, "l").sync(0)
			if s := want[stalled](x); s.err != nil {
				t.Errorf("not cleared: %v", s.err)
			}
			fail(x.beat(sarama.ErrRebalanceInProgress))
			want[sendJoin](x.later(50 * ms)) // it begins anew
		})
	}
}

// Kafka names a static member after its instance id. The leader that we are told of is ourselves, before the
// restart; so nobody leads, and nobody would notice new partitions. Join once more, and only once: whoever leads
// then does.
func TestAStaticLeaderThatIsBackJoinsOnceMore(t *testing.T) {
	ghost := "i-00000000-0000-0000-0000-000000000000"
	x := lay(t, statically).step(start{}).find()
	x.join("i-11111111-1111-1111-1111-111111111111", 4, ghost).sync(0)
	want[assign](x)
	if a := want[sendJoin](x); !slices.Equal(a.owned, parts(0)) {
		t.Errorf("%+v", a)
	}
	x.join("i-11111111-1111-1111-1111-111111111111", 4, ghost).sync(0) // it has not helped
	wantNo[sendJoin](x)
}

// The member ids of instance "i-2" also begin with "i-".
func TestAnInstanceWhoseNameBeginsWithOurs(t *testing.T) {
	x := lay(t, statically).step(start{}).find()
	x.join("i-11111111-1111-1111-1111-111111111111", 4, "i-2-00000000-0000-0000-0000-000000000000").sync(0)
	wantNo[sendJoin](x)
}

// An eager member would have to give up at once what it takes.
func TestAnEagerStaticLeaderThatIsBackTakesNothingFirst(t *testing.T) {
	x := lay(t, statically, eagerly).step(start{}).find()
	x.join("i-11111111-1111-1111-1111-111111111111", 4, "i-00000000-0000-0000-0000-000000000000").sync(0)
	wantNo[assign](x)
	want[sendJoin](x)
}

// What a commit is told concerns the identity that it was sent with; of the coordinator's answers only those count
// that say something about the membership.
func TestWhatCommitsAreTold(t *testing.T) {
	for _, c := range []struct {
		name  string
		e     told
		lost  bool
		drops bool
	}{
		{"unknown member", told{"m", 1, sarama.ErrUnknownMemberId}, true, false},
		{"unknown group", told{"m", 1, sarama.ErrGroupIDNotFound}, true, false},
		{"illegal generation", told{"m", 1, sarama.ErrIllegalGeneration}, true, false},
		{"not the coordinator", told{"m", 1, sarama.ErrNotCoordinatorForConsumer}, false, true},
		{"of another generation", told{"m", 0, sarama.ErrIllegalGeneration}, false, false},
		{"of another member", told{"n", 1, sarama.ErrUnknownMemberId}, false, false},
		{"the coordinator cannot write", told{"m", 1, sarama.ErrConsumerCoordinatorNotAvailable}, false, false},
		{"rebalancing", told{"m", 1, sarama.ErrRebalanceInProgress}, false, false},
		{"nobody answered", told{"m", 1, context.DeadlineExceeded}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := lay(t).member(0).step(c.e)
			if _, ok := got[lose](x); ok != c.lost {
				t.Errorf("lost %v, want %v", ok, c.lost)
			}
			if _, ok := got[useCoordinator](x); ok != c.drops {
				t.Errorf("dropped the coordinator %v, want %v", ok, c.drops)
			}
		})
	}
}

// Fatal errors: lost first, then the end, with a text that says what to do.
func TestFatalErrorsSayWhatToDo(t *testing.T) {
	for code, words := range map[sarama.KError][]string{
		sarama.ErrFencedInstancedId:         {"another process", `InstanceID = "i"`},
		sarama.ErrGroupAuthorizationFailed:  {"ACL", "Group"},
		sarama.ErrInconsistentGroupProtocol: {"Balance"},
		sarama.ErrInvalidSessionTimeout:     {"SessionTimeout = 40s", "group.min.session.timeout.ms", "group.max.session.timeout.ms"},
		sarama.ErrInvalidGroupId:            {"Group"},
		sarama.ErrGroupMaxSizeReached:       {"group.max.size"},
		sarama.ErrUnsupportedVersion:        {"Version", "2.4"},
	} {
		t.Run(fmt.Sprint(int16(code)), func(t *testing.T) {
			x := lay(t, statically).member(0)
			x.beat(sarama.ErrRebalanceInProgress)
			x.step(joined{seq: seqOf[sendJoin](x), err: code})
			if _, first := x.out[0].(lose); !first {
				t.Errorf("%v", x.said())
			}
			err := want[fail](x).err
			if !errors.Is(err, code) {
				t.Errorf("%v is not %v", err, code)
			}
			for _, w := range words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q lacks %q", err, w)
				}
			}
		})
	}
}

// The coordinator is looked for, and every broker that can be reached refuses for good; or one does, and the others are
// away: they may know better.
func TestALookUpThatIsRefusedForGood(t *testing.T) {
	away := errors.New("connection refused")
	for _, c := range []struct {
		errs []error
		ends bool
	}{
		{[]error{sarama.ErrUnsupportedVersion, away, away}, false},
		{[]error{away, sarama.ErrGroupAuthorizationFailed}, false},
		{[]error{sarama.ErrGroupAuthorizationFailed, fmt.Errorf("broker b: %w", sarama.ErrGroupAuthorizationFailed)}, true},
	} {
		x := lay(t).member(0)
		x.step(told{"m", 1, sarama.ErrNotCoordinatorForConsumer})
		want[findCoordinator](x.later(x.now.until(x.m.next())))
		x.step(found{seq: seqOf[findCoordinator](x), err: &conn.NoBrokerError{Errs: c.errs}})
		if f, ok := got[fail](x); ok != c.ends {
			t.Errorf("%v: ended %v with %v", c.errs, ok, f.err)
		}
		if !c.ends {
			want[findCoordinator](x.later(time.Second))
		}
	}
}

// A user reads of a coordinator that has been away for five seconds, once, and that it is back. One that refuses us
// is told at once: waiting does not help.
func TestTrouble(t *testing.T) {
	away := errors.New("connection refused")
	x := lay(t).step(start{})
	miss := func(denied bool) *table {
		return x.step(found{seq: seqOf[findCoordinator](x), err: away, denied: denied})
	}
	miss(false)
	for began := x.now; x.now.mono-began.mono < 5*time.Second-500*time.Millisecond; {
		wantNo[notice](x.later(x.now.until(x.m.next())))
		wantNo[notice](miss(false))
	}
	told := 0
	for range 20 {
		if x.later(500 * time.Millisecond); len(x.out) > 0 {
			if _, ok := got[notice](x); ok {
				told++
			}
			miss(false)
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	x.later(time.Second)
	if want[notice](miss(true)).err == nil {
		t.Error("a refusal is told at once")
	}
	x.later(time.Second).find()
	wantNo[notice](x) // its address is known; whether it answers is not
	if want[notice](x.join("m", 1, "l")).err != nil {
		t.Error("not cleared")
	}
}
