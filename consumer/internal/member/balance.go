package member

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/IBM/sarama"
)

// balance runs sarama's balance strategies: they keep state and are not for concurrent use.
type balance struct {
	mu         sync.Mutex
	strategies []sarama.BalanceStrategy
	userData   map[string][]byte // by strategy: what its last assignment said, which the next join repeats
}

func newBalance(strategies []sarama.BalanceStrategy) *balance {
	return &balance{strategies: strategies, userData: map[string][]byte{}}
}

// cooperative: every strategy supports the cooperative protocol (KIP-429). One eager strategy in the list makes the
// member eager: the group may choose it.
func cooperative(strategies []sarama.BalanceStrategy) bool {
	return !slices.ContainsFunc(strategies, func(s sarama.BalanceStrategy) bool {
		p, ok := s.(sarama.RebalanceProtocolBalanceStrategy)
		return !ok || !slices.Contains(p.SupportedProtocols(), sarama.RebalanceProtocolCooperative)
	})
}

// subscribe writes the member's metadata into a join, for each strategy: what it owns, and of which generation, of the
// last join that was answered. Java leaders up to 3.3 ignore what an older generation claims.
func (b *balance) subscribe(q *sarama.JoinGroupRequest, topics []string, owned []tp, generation int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	by := map[string][]int32{}
	for _, p := range owned {
		by[p.topic] = append(by[p.topic], p.partition)
	}
	for _, s := range b.strategies {
		md := &sarama.ConsumerGroupMemberMetadata{Version: 2, Topics: topics, GenerationID: generation, UserData: b.userData[s.Name()]}
		for _, t := range slices.Sorted(maps.Keys(by)) {
			md.OwnedPartitions = append(md.OwnedPartitions, &sarama.OwnedPartition{Topic: t, Partitions: by[t]})
		}
		if u, ok := s.(sarama.SubscriptionUserDataBalanceStrategy); ok {
			if data, err := u.SubscriptionUserData(slices.Clone(topics)); err == nil {
				md.UserData = data
			}
		}
		_ = q.AddGroupProtocolMetadata(s.Name(), md) // encodes into memory: it cannot fail
	}
}

// plan is the leader's: an assignment, perhaps an empty one, for every member.
func (b *balance) plan(protocol string, generation int32, members map[string]sarama.ConsumerGroupMemberMetadata, partitions map[string]int) (*sarama.SyncGroupRequest, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.named(protocol)
	if s == nil {
		return nil, fmt.Errorf("the group has chosen the strategy %q, which is not in Balance", protocol)
	}
	have := map[string][]int32{}
	for topic, n := range partitions {
		for p := range n {
			have[topic] = append(have[topic], int32(p)) //nolint:gosec // Kafka numbers partitions by int32
		}
	}
	plan := sarama.BalanceStrategyPlan{}
	if len(have) > 0 { // roundrobin takes no topics for an error
		var err error
		if plan, err = s.Plan(members, have); err != nil {
			return nil, fmt.Errorf("the strategy %q made no plan: %w", protocol, err)
		}
	}
	q := &sarama.SyncGroupRequest{}
	for id := range members {
		data, err := s.AssignmentData(id, plan[id], generation)
		if err != nil {
			return nil, fmt.Errorf("the strategy %q made no assignment: %w", protocol, err)
		}
		if err := q.AddGroupAssignmentMember(id, &sarama.ConsumerGroupMemberAssignment{Topics: plan[id], UserData: data}); err != nil {
			return nil, fmt.Errorf("encode an assignment: %w", err)
		}
	}
	return q, nil
}

// assigned reads what a sync has given us, and lets the strategy know.
func (b *balance) assigned(protocol string, generation int32, p *sarama.SyncGroupResponse) ([]tp, error) {
	a, err := p.GetMemberAssignment()
	if err != nil {
		return nil, fmt.Errorf("decode the assignment: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.named(protocol); s != nil {
		b.userData[protocol] = a.UserData
		if o, ok := s.(sarama.OnAssignmentBalanceStrategy); ok {
			o.OnAssignment(a, generation)
		}
	}
	var tps []tp
	for topic, partitions := range a.Topics {
		for _, p := range partitions {
			tps = append(tps, tp{topic, p})
		}
	}
	return tps, nil
}

func (b *balance) named(name string) sarama.BalanceStrategy {
	for _, s := range b.strategies {
		if s.Name() == name {
			return s
		}
	}
	return nil
}

// topicsOf are the topics that any member subscribes to.
func topicsOf(members map[string]sarama.ConsumerGroupMemberMetadata) []string {
	all := map[string]struct{}{}
	for _, m := range members {
		for _, t := range m.Topics {
			all[t] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(all))
}
