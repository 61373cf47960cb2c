package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

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
