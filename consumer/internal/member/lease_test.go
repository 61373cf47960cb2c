package member

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// The group throws out whom it waits for in vain, after the rebalance timeout. Where that is less than the session, who
// hears nothing more must not work until the end of its session. A static member is not thrown out, but what it owns may
// be given away all the same.
func TestTheLeaseIsNoLongerThanTheGroupsPatience(t *testing.T) {
	for _, kind := range []func(*rules){eagerly, statically, func(*rules) {}} {
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

// Another member leads, and is slower than our rebalance timeout; the group waits by a longer one. What we have is lost
// meanwhile, because the group might not have our sync. But when it is answered, it had it all the while: what it assigns
// is taken, or we would join again, and lose it again, for ever.
func TestASyncThatIsAnsweredLateAssigns(t *testing.T) {
	x := lay(t, func(r *rules) { r.rebalance = 15 * time.Second }).member(0)
	x.later(3*time.Second).beat(sarama.ErrRebalanceInProgress).join("m", 2, "l")
	sent := x.now
	for range 10 {
		x.later(2 * time.Second).beat(nil)
	}
	if len(x.m.owned) > 0 {
		t.Error("nothing was lost")
	}
	want[assign](x.step(synced{seq: seqOf[sendSync](x), sent: sent, assigned: parts(0)}))
	wantNo[sendJoin](x)
}
