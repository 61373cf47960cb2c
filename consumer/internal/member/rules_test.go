package member

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

var usual = rules{
	cooperative: true, session: 40 * time.Second, rebalance: 60 * time.Second,
	heartbeat: 3 * time.Second, backoff: 50 * time.Millisecond,
}

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
