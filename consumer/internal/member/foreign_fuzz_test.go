package member

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/IBM/sarama"
)

// everyStrategy makes all of the strategies that a group can agree on, anew: they keep state.
func everyStrategy() []sarama.BalanceStrategy {
	return []sarama.BalanceStrategy{
		sarama.NewBalanceStrategyCooperativeSticky(), sarama.NewBalanceStrategyRange(),
		sarama.NewBalanceStrategyRoundRobin(), sarama.NewBalanceStrategySticky(),
	}
}

// subscription is a member's metadata as it goes over the wire.
func subscription(t testing.TB, meta sarama.ConsumerGroupMemberMetadata) []byte {
	t.Helper()
	q := &sarama.JoinGroupRequest{}
	if err := q.AddGroupProtocolMetadata("p", &meta); err != nil {
		t.Fatal(err)
	}
	return q.OrderedGroupProtocols[0].Metadata
}

// ownsOf is what a member says that it owns.
func ownsOf(topic string, partitions ...int32) []*sarama.OwnedPartition {
	return []*sarama.OwnedPartition{{Topic: topic, Partitions: partitions}}
}

// FuzzSubscription: whatever one member of the group writes into its metadata, the others have their plan, whichever
// the strategy: every partition that they subscribe to is somebody's, unless the one says that it still owns it; none
// is two members'; nobody is given a topic that it did not ask for.
func FuzzSubscription(f *testing.F) {
	sticky := []byte{0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7}
	for _, meta := range []sarama.ConsumerGroupMemberMetadata{
		{Topics: []string{"t"}},
		{Topics: []string{"t", "t", "u"}, UserData: []byte("not an assignment")},
		{Topics: []string{"t"}, UserData: []byte{}},
		{Topics: []string{"t"}, UserData: sticky},
		{Version: 1, Topics: []string{"t"}, UserData: []byte{0, 0, 0, 9}, OwnedPartitions: ownsOf("t", 0, 0, 1)},
		{Version: 2, Topics: []string{"t"}, OwnedPartitions: ownsOf("t", -1, 3, 99), GenerationID: -1},
		{Version: 2, Topics: []string{"u"}, OwnedPartitions: ownsOf("t", 0, 1, 2, 3), GenerationID: 1 << 30},
		{Version: 3, Topics: []string{"t"}, GenerationID: 5},
	} {
		f.Add(subscription(f, meta))
	}
	f.Add([]byte(nil))
	f.Add([]byte{0, 1, 0, 0, 0, 9})
	f.Add(binary.BigEndian.AppendUint32([]byte{0, 0}, 1<<31-1))

	ours := subscription(f, sarama.ConsumerGroupMemberMetadata{Version: 2, Topics: []string{"t"}, OwnedPartitions: ownsOf("t", 0, 1), GenerationID: 4})
	third := subscription(f, sarama.ConsumerGroupMemberMetadata{Version: 1, Topics: []string{"t", "u"}})
	f.Fuzz(func(t *testing.T, odd []byte) {
		for _, b := range everyStrategy() {
			m := &Member{options: Options{Logger: quiet}, assignors: newAssignors([]sarama.BalanceStrategy{b}, quiet)}
			members, strange := m.subscriptions([]sarama.GroupMember{{MemberId: "a", Metadata: ours}, {MemberId: "b", Metadata: odd}, {MemberId: "c", Metadata: third}})
			if len(members)+len(strange) != 3 {
				t.Fatalf("%d members and %d strange ones", len(members), len(strange))
			}
			there := map[string][]int32{"t": {0, 1, 2, 3}, "u": {0}}
			q, _, err := m.assignors.divide(makePlan{protocol: b.Name(), generation: 5}, members, there)
			if err != nil {
				t.Fatalf("%s: %v", b.Name(), err)
			}
			whose := shares(t, b.Name(), q, members)
			for topic, list := range there {
				for _, p := range list {
					if owner := whose[tp{topic, p}]; owner == "" && !says(members["b"], topic, p) && !says(members["a"], topic, p) {
						t.Errorf("%s: nobody has %s/%d", b.Name(), topic, p)
					}
				}
			}
		}
	})
}

// shares are the owners by a leader's plan.
func shares(t *testing.T, protocol string, q *sarama.SyncGroupRequest, members map[string]sarama.ConsumerGroupMemberMetadata) map[tp]string {
	t.Helper()
	if len(q.GroupAssignments) != len(members) {
		t.Errorf("%s: %d assignments for %d members", protocol, len(q.GroupAssignments), len(members))
	}
	whose := map[tp]string{}
	for _, a := range q.GroupAssignments {
		as, err := (&sarama.SyncGroupResponse{MemberAssignment: a.Assignment}).GetMemberAssignment()
		if err != nil {
			t.Fatalf("%s: the assignment of %s: %v", protocol, a.MemberId, err)
		}
		for topic, list := range as.Topics {
			if !slices.Contains(members[a.MemberId].Topics, topic) {
				t.Errorf("%s: %s has %s, which it did not ask for", protocol, a.MemberId, topic)
			}
			for _, p := range list {
				if other := whose[tp{topic, p}]; other != "" {
					t.Errorf("%s: %s/%d is %s's and %s's", protocol, topic, p, other, a.MemberId)
				}
				whose[tp{topic, p}] = a.MemberId
			}
		}
	}
	return whose
}

// says tells whether a member claims that it owns a partition: a cooperative leader keeps it from others until it does
// not any more.
func says(meta sarama.ConsumerGroupMemberMetadata, topic string, partition int32) bool {
	return slices.ContainsFunc(meta.OwnedPartitions, func(o *sarama.OwnedPartition) bool {
		return o.Topic == topic && slices.Contains(o.Partitions, partition)
	})
}

// FuzzAssignment: whatever a leader sends us, it is an error or a list of partitions, each of them once, and the next
// join can be written.
func FuzzAssignment(f *testing.F) {
	for _, as := range []sarama.ConsumerGroupMemberAssignment{
		{},
		{Topics: map[string][]int32{"t": {2, 0, 1}, "u": {0}}, UserData: []byte("letters")},
		{Version: 3, Topics: map[string][]int32{"t": {0, 0, -1}, "": {1 << 30}}},
	} {
		q := &sarama.SyncGroupRequest{}
		if err := q.AddGroupAssignmentMember("m", &as); err != nil {
			f.Fatal(err)
		}
		f.Add(q.GroupAssignments[0].Assignment)
	}
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 0, 0, 2, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := newAssignors(everyStrategy(), quiet)
		for _, b := range everyStrategy() {
			got, err := s.assigned(&sarama.SyncGroupResponse{MemberAssignment: raw}, sendSync{protocol: b.Name(), generation: 3})
			if err != nil {
				if len(got) > 0 {
					t.Errorf("%v beside the error %v", got, err)
				}
				continue
			}
			for i := 1; i < len(got); i++ {
				if got[i-1] == got[i] {
					t.Errorf("%v comes twice", got[i])
				}
			}
			for _, p := range got {
				if p.topic == "" || p.partition < 0 {
					t.Errorf("%v is no partition", p)
				}
			}
		}
		if err := s.subscribe(&sarama.JoinGroupRequest{}, []string{"t"}, sendJoin{}); err != nil {
			t.Errorf("the next join: %v", err)
		}
	})
}
