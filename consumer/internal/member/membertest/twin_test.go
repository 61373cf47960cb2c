package membertest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
)

// talk is a conversation with a coordinator; it notes the error codes of the answers.
type talk struct {
	t    *testing.T
	dial func() conn.Conn
	said []string
}

func (x *talk) note(what string, k sarama.KError) {
	x.said = append(x.said, fmt.Sprintf("%s: %v", what, int16(k)))
}

func name(instance string) *string {
	if instance == "" {
		return nil
	}
	return &instance
}

// join answers at once, or with the generation when all have joined.
func (x *talk) join(c conn.Conn, what, member, instance string, topics ...string) *sarama.JoinGroupResponse {
	x.t.Helper()
	q := sarama.NewJoinGroupRequest(sarama.V3_6_0_0)
	q.GroupId, q.MemberId, q.GroupInstanceId, q.ProtocolType = "g", member, name(instance), "consumer"
	q.SessionTimeout, q.RebalanceTimeout = 10_000, 10_000
	if err := q.AddGroupProtocolMetadata("range", &sarama.ConsumerGroupMemberMetadata{Version: 2, Topics: topics, GenerationID: -1}); err != nil {
		x.t.Fatal(err)
	}
	p, err := c.JoinGroup(q)
	if err != nil {
		x.t.Fatal(err)
	}
	x.note(what, p.Err)
	return p
}

func (x *talk) sync(c conn.Conn, what, member, instance string, generation int32, leads bool) {
	x.t.Helper()
	q := &sarama.SyncGroupRequest{Version: 4, GroupId: "g", MemberId: member, GroupInstanceId: name(instance), GenerationId: generation}
	if leads {
		q.AddGroupAssignment(member, []byte("letters"))
	}
	p, err := c.SyncGroup(q)
	if err != nil {
		x.t.Fatal(err)
	}
	x.note(what, p.Err)
}

func (x *talk) beat(c conn.Conn, what, member, instance string, generation int32) {
	x.t.Helper()
	p, err := c.Heartbeat(&sarama.HeartbeatRequest{Version: 4, GroupId: "g", MemberId: member, GroupInstanceId: name(instance), GenerationId: generation})
	if err != nil {
		x.t.Fatal(err)
	}
	x.note(what, p.Err)
}

func (x *talk) commit(c conn.Conn, what, member, instance string, generation int32) {
	x.t.Helper()
	q := &sarama.OffsetCommitRequest{Version: 7, ConsumerGroup: "g", ConsumerID: member, GroupInstanceId: name(instance), ConsumerGroupGeneration: generation}
	q.AddBlock("t", 1, 7, 0, "")
	p, err := c.CommitOffset(q)
	if err != nil {
		x.t.Fatal(err)
	}
	x.note(what, p.Errors["t"][1])
}

func (x *talk) leave(c conn.Conn, what, member, instance string) {
	x.t.Helper()
	p, err := c.LeaveGroup(&sarama.LeaveGroupRequest{Version: 4, GroupId: "g", Members: []sarama.MemberIdentity{{MemberId: member, GroupInstanceId: name(instance)}}})
	if err != nil {
		x.t.Fatal(err)
	}
	x.note(what, p.Members[0].Err)
}

// a dynamic member, alone.
func dynamic(x *talk) {
	c := x.dial()
	id := x.join(c, "join without an id", "", "", "t").MemberId
	p := x.join(c, "join", id, "", "t")
	g := p.GenerationId
	x.beat(c, "heartbeat of nobody", "nobody", "", g)
	x.beat(c, "heartbeat before the sync", id, "", g)
	x.commit(c, "commit before the sync", id, "", g)
	x.sync(c, "sync of a generation before", id, "", g-1, true)
	x.sync(c, "sync", id, "", g, true)
	x.beat(c, "heartbeat", id, "", g)
	x.beat(c, "heartbeat of a generation to come", id, "", g+1)
	x.commit(c, "commit", id, "", g)
	x.commit(c, "commit of a generation before", id, "", g-1)
	x.commit(c, "commit of nobody", "nobody", "", g)
	again := x.join(c, "the leader joins again", id, "", "t")
	x.said = append(x.said, fmt.Sprint("generations later: ", again.GenerationId-g))
	x.sync(c, "sync again", id, "", again.GenerationId, true)
	x.leave(c, "leave", id, "")
	x.leave(c, "leave again", id, "")
}

// two members: what each is told while a rebalance waits for the other.
func pair(x *talk) {
	a, b := x.dial(), x.dial()
	one := x.join(a, "", x.join(a, "", "", "", "t").MemberId, "", "t")
	x.sync(a, "", one.MemberId, "", one.GenerationId, true)
	second := x.join(b, "", "", "", "t").MemberId
	joined := make(chan *sarama.JoinGroupResponse)
	go func() {
		y := &talk{t: x.t, dial: x.dial}
		joined <- y.join(b, "", second, "", "t")
	}()
	for heard := false; !heard; { // until the second one's join has begun the rebalance
		y := &talk{t: x.t, dial: x.dial}
		y.beat(a, "heartbeat", one.MemberId, "", one.GenerationId)
		heard = y.said[0] == fmt.Sprint("heartbeat: ", int16(sarama.ErrRebalanceInProgress))
	}
	x.commit(a, "commit while the group prepares", one.MemberId, "", one.GenerationId)
	x.sync(a, "sync while the group prepares", one.MemberId, "", one.GenerationId, false)
	again := x.join(a, "the first joins", one.MemberId, "", "t")
	two := <-joined
	x.said = append(x.said, fmt.Sprint("same generation: ", again.GenerationId == two.GenerationId, ", the first leads: ", again.LeaderId == one.MemberId && len(again.Members) == 2 && len(two.Members) == 0))
	x.commit(b, "commit while the sync waits", two.MemberId, "", two.GenerationId)
	x.sync(a, "sync", one.MemberId, "", again.GenerationId, true)
	x.sync(b, "the other's sync", two.MemberId, "", two.GenerationId, false)
	same := x.join(b, "a follower joins without a change", two.MemberId, "", "t")
	x.said = append(x.said, fmt.Sprint("generations later: ", same.GenerationId-two.GenerationId))
	x.commit(b, "a commit of what the other owns", two.MemberId, "", two.GenerationId)
}

// a static member that is replaced.
func replaced(x *talk) {
	c := x.dial()
	one := x.join(c, "join without an id", "", "i", "t")
	x.sync(c, "sync", one.MemberId, "i", one.GenerationId, true)
	x.beat(c, "heartbeat of an instance that nobody knows", one.MemberId, "j", one.GenerationId)
	two := x.join(c, "its successor joins", "", "i", "t")
	x.said = append(x.said, fmt.Sprint("another id: ", two.MemberId != one.MemberId))
	x.beat(c, "heartbeat of the first", one.MemberId, "i", one.GenerationId)
	x.commit(c, "commit of the first", one.MemberId, "i", one.GenerationId)
	x.commit(c, "commit of the first, without the instance", one.MemberId, "", one.GenerationId)
	x.sync(c, "sync of the second", two.MemberId, "i", two.GenerationId, true)
	x.beat(c, "heartbeat of the second", two.MemberId, "i", two.GenerationId)
	x.leave(c, "leave by the instance", "", "i")
}

// The scripted group answers as kfake does, which was made after Kafka; where kfake is known to differ (a static
// leader's return), the script follows Kafka, and member's tests show it.
func TestTheScriptAnswersAsABrokerDoes(t *testing.T) {
	for what, f := range map[string]func(*talk){"dynamic": dynamic, "pair": pair, "replaced": replaced} {
		t.Run(what, func(t *testing.T) {
			k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "t"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(k.Close)
			cfg := sarama.NewConfig()
			cfg.Version = sarama.V3_6_0_0
			d, err := conn.NewDialer(cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(d.Close)
			theirs := &talk{t: t, dial: func() conn.Conn { return d.Dial(k.ListenAddrs()[0]) }}
			f(theirs)

			c := membertest.New(map[string]int{"t": 2})
			c.SetLatency(time.Microsecond)
			ours := &talk{t: t, dial: func() conn.Conn { return c.Dial(c.Coordinator()) }}
			f(ours)
			if !slices.Equal(ours.said, theirs.said) {
				for i := range max(len(ours.said), len(theirs.said)) {
					var a, b string
					if i < len(ours.said) {
						a = ours.said[i]
					}
					if i < len(theirs.said) {
						b = theirs.said[i]
					}
					if a != b {
						t.Errorf("script %q, broker %q", a, b)
					}
				}
			}
		})
	}
}
