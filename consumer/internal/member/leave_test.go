package member

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// Stop: everything is given up, then the group is left, and a leave that is not answered is repeated.
func TestALeaveIsRepeated(t *testing.T) {
	x := lay(t).member(0, 1)
	x.step(stop{x.now.add(40 * time.Second)})
	if a := want[revoke](x); x.now.until(a.by) != 32*time.Second {
		t.Errorf("%v ahead: 40 s, less 8 s for the last offsets and the leave", x.now.until(a.by))
	}
	x.step(stop{x.now.add(time.Second)}) // the second stop changes nothing
	wantNo[revoke](x)
	wantNo[sendLeave](x.step(released{parts(0)}))
	want[sendLeave](x.step(released{parts(1)}))
	x.step(left{seqOf[sendLeave](x), sarama.ErrNotCoordinatorForConsumer})
	want[useCoordinator](x)
	want[findCoordinator](x.later(time.Second))
	want[sendLeave](x.find())
	x.step(left{seqOf[sendLeave](x), sarama.ErrOffsetsLoadInProgress})
	wantNo[sendLeave](x)
	want[sendLeave](x.later(time.Second))
	want[end](x.step(left{seqOf[sendLeave](x), sarama.ErrUnknownMemberId})) // thrown out before: that is gone, too
}

// A join that waits while the consumer stops is let finish: the last commits need its generation. Nothing is taken.
func TestAStopWhileAJoinIsOut(t *testing.T) {
	x := lay(t).member(0)
	x.beat(sarama.ErrRebalanceInProgress)
	x.step(stop{})
	want[revoke](x)
	x.join("m", 2, "l")
	if a := want[identify](x); a.generation != 2 {
		t.Errorf("%+v", a)
	}
	wantNo[assign](x.sync(0, 1))
	want[sendLeave](x.step(released{parts(0)}))
}

// A leave that overtakes a sync breaks kfake's account of who has joined, and every later rebalance of the group
// waits for its timeout. Kafka does not mind the wait.
func TestALeaveWaitsForTheSync(t *testing.T) {
	x := lay(t).step(start{}).find().join("m", 1, "l")
	wantNo[sendLeave](x.step(stop{}))
	want[sendLeave](x.sync(0))
	wantNo[assign](x)
}

func TestWhoHasNotJoinedHasNothingToLeave(t *testing.T) {
	want[end](lay(t).step(stop{}))
	want[end](lay(t).step(start{}).step(stop{})) // not even the coordinator is known
}

// A stop with a deadline waits for the sync only while there is time: a leader that is slow with its plan would let the
// leave never be sent, and then the group waits for who is gone.
func TestALeaveThatCannotWaitForTheSync(t *testing.T) {
	x := lay(t).step(start{}).find().join("m", 1, "l").beat(nil)
	wantNo[sendLeave](x.step(stop{x.now.add(40 * time.Second)}))
	for x.now.until(x.m.stopBy) > 8*time.Second {
		wantNo[sendLeave](x)
		x.later(x.now.until(x.m.next()))
		if x.m.beat != 0 && x.m.phase == syncing {
			x.beat(nil)
		}
	}
	if a := want[sendLeave](x); a.member != "m" {
		t.Errorf("%+v", a)
	}
	wantNo[assign](x.sync(0)) // the answer comes all the same
}

// A static member keeps its place when it stops, so that the group goes on waiting for it: for its join, and, when it
// leads, for the plan. The rebalance comes first, as long as there is time.
func TestAStaticMemberEndsAfterTheRebalance(t *testing.T) {
	id := "i-00000000-0000-0000-0000-000000000000"
	stopped := func(by time.Duration) *table {
		x := lay(t, statically, eagerly).member(0)
		x.beat(sarama.ErrRebalanceInProgress)
		want[revoke](x)
		x.step(stop{x.now.add(by)})
		wantNo[end](x.step(released{parts(0)}))
		want[sendJoin](x)
		return x
	}
	x := stopped(time.Minute)
	want[makePlan](x.join(id, 2, id))
	want[sendSync](x.step(planned{seq: seqOf[makePlan](x)}))
	x.sync(0)
	wantNo[assign](x)
	wantNo[sendLeave](x)
	want[end](x)

	x = stopped(20 * time.Second) // nobody answers: 5 s before the deadline that is enough
	for x.now.mono < x.m.hurryAt.mono {
		wantNo[end](x)
		x.later(x.now.until(x.m.next()))
	}
	want[end](x)
	if left := x.now.until(x.m.stopBy); left != 5*time.Second {
		t.Errorf("%v before the deadline", left)
	}

	x = stopped(time.Minute) // it fails: it is not tried for ever
	want[end](x.join(id, 2, id).step(planned{seq: seqOf[makePlan](x), err: errors.New("no metadata")}))
}

// The first join is out when the consumer stops. The broker has made an id of it, or is about to, and the group's next
// rebalance would wait a session for who never joins with it.
func TestAStopWhileTheFirstJoinIsOut(t *testing.T) {
	out := func() *table {
		x := lay(t).step(start{}).find().step(stop{})
		wantNo[end](x)
		wantNo[sendLeave](x)
		return x
	}
	x := out()
	x.step(joined{seq: seqOf[sendJoin](x), err: sarama.ErrMemberIdRequired, member: "m"})
	if a := want[sendLeave](x); a.member != "m" {
		t.Errorf("%+v", a)
	}
	want[end](x.step(left{seq: seqOf[sendLeave](x)}))

	x = out()
	want[end](x.step(joined{seq: seqOf[sendJoin](x), err: context.DeadlineExceeded, timedOut: true}))
}

// A static member stays, unless it is to leave for good; then also when it never learned its id.
func TestAStaticMemberStays(t *testing.T) {
	x := lay(t, statically).member(0)
	x.step(stop{})
	want[end](x.step(released{parts(0)}))
	wantNo[sendLeave](x)

	x = lay(t, leavingStatic).step(start{}).find()
	want[sendLeave](x.step(stop{}))
}

// Cut means now: nothing is sent, nothing is told.
func TestCut(t *testing.T) {
	x := lay(t).member(0)
	x.step(cut{})
	if len(x.out) != 1 {
		t.Errorf("%v", x.said())
	}
	want[end](x)
	if x.later(time.Hour); len(x.out) != 0 || !x.m.next().never() {
		t.Errorf("%v after the end", x.said())
	}
}
