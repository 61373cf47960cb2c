package member

import (
	"errors"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
)

// A newcomer's join waits for the others, as it may for the rebalance timeout and longer, when the coordinator hangs, and
// another broker takes over. The others find out by their heartbeats; the newcomer, which has no generation yet, by a probe.
func TestANewcomersJoinIsNotAnswered(t *testing.T) {
	for name, with := range map[string][]func(*Options){"dynamic": nil, "static": {instance("b")}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 4, func(t *testing.T, c *membertest.Cluster, all *ownership) {
				a := scripted(t, c, all, "a")
				a.await(t, "owns all", owns(4))
				calm()
				asked := c.Requests(membertest.Join)
				b := scripted(t, c, all, "b", with...)
				for joins := asked + 2 - len(with); c.Requests(membertest.Join) < joins; { // a dynamic member's first one asks for an id
					time.Sleep(time.Millisecond)
				}
				c.Silence(c.Coordinator(), true)
				began := time.Now()
				time.AfterFunc(9*time.Second, c.Move)
				b.await(t, "owns its half", owns(2))
				if took := time.Since(began); took > 25*time.Second {
					t.Errorf("the newcomer has its half after %v", took)
				}
				if a.losses() > 0 {
					t.Errorf("lost %v", a.lost)
				}
			})
		})
	}
}

// Whatever the coordinator says to a probe, it is there: the join goes on, and one that times out is only repeated.
func TestAProbeThatIsAnswered(t *testing.T) {
	for _, err := range []error{
		nil, sarama.ErrUnknownMemberId, sarama.ErrIllegalGeneration, sarama.ErrFencedInstancedId, sarama.ErrGroupAuthorizationFailed,
	} {
		x := newcomer(t)
		x.beat(err)
		wantNo[sendJoin](x)
		wantNo[useCoordinator](x)
		x.step(joined{seq: x.m.request, err: errors.New("cut"), timedOut: true})
		want[sendJoin](x)
		wantNo[useCoordinator](x)
	}
}

// Nobody is there, or somebody else is the coordinator: that one is looked for, and asked.
func TestAProbeThatIsNotAnswered(t *testing.T) {
	for _, err := range []error{errors.New("cut"), sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable} {
		x := newcomer(t)
		want[useCoordinator](x.beat(err))
		x.later(time.Second).find()
		if a := want[sendJoin](x); a.member != "m" {
			t.Errorf("after %v: %+v", err, a)
		}
	}
}

// newcomer is a member whose first join is out for so long that it has sent a probe.
func newcomer(t *testing.T) *table {
	x := lay(t).step(start{}).find()
	x.step(joined{seq: seqOf[sendJoin](x), err: sarama.ErrMemberIdRequired, member: "m"})
	wantNo[sendHeartbeat](x)
	x.later(x.m.rules.heartbeat)
	if a := want[sendHeartbeat](x); a.member != "m" || a.generation != -1 {
		t.Errorf("%+v", a)
	}
	return x
}
