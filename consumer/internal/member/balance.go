package member

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/IBM/sarama"
)

// assignors are the balance strategies. They keep state and are not made for concurrent use; a request that was
// given up may still use one while the next one does.
type assignors struct {
	mu       sync.Mutex
	logger   *slog.Logger
	list     []sarama.BalanceStrategy
	userData map[string][]byte // by strategy: what the last assignment carried, to be echoed (eager sticky needs it)
	asked    handovers         // by our last plan
}

func newAssignors(list []sarama.BalanceStrategy, logger *slog.Logger) *assignors {
	return &assignors{list: list, logger: logger, userData: map[string][]byte{}}
}

// subscribe adds the member's metadata to a join, once for each strategy. Version 2 tells the generation that the
// owned partitions are of (KIP-792): a leader ignores older claims.
func (s *assignors) subscribe(q *sarama.JoinGroupRequest, topics []string, a sendJoin) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	owned := byTopic(a.owned)
	for _, b := range s.list {
		meta := &sarama.ConsumerGroupMemberMetadata{
			Version: 2, Topics: topics, OwnedPartitions: owned, GenerationID: a.generation, UserData: s.userData[b.Name()],
		}
		if u, ok := b.(sarama.SubscriptionUserDataBalanceStrategy); ok {
			if data, err := u.SubscriptionUserData(slices.Clone(topics)); err == nil {
				meta.UserData = data
			}
		}
		if err := q.AddGroupProtocolMetadata(b.Name(), meta); err != nil {
			return unusable{fmt.Errorf("the metadata of %s: %w", b.Name(), err)}
		}
	}
	return nil
}

// assigned reads the assignment, and tells the strategy that made it.
func (s *assignors) assigned(p *sarama.SyncGroupResponse, a sendSync) ([]tp, error) {
	as, err := p.GetMemberAssignment()
	if err != nil {
		return nil, unusable{fmt.Errorf("the assignment cannot be read: %w", err)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.named(a.protocol); b != nil {
		s.userData[a.protocol] = as.UserData
		if o, ok := b.(sarama.OnAssignmentBalanceStrategy); ok {
			o.OnAssignment(as, a.generation)
		}
	}
	var tps []tp
	for t, ps := range as.Topics {
		for _, p := range ps {
			if t == "" || p < 0 { // a claim of it would wait for ever
				s.logger.Warn("the group's leader assigns what is no partition", slog.String("topic", t), slog.Int("partition", int(p)))
				continue
			}
			tps = append(tps, tp{t, p})
		}
	}
	return slices.Compact(sorted(tps)), nil
}

func (s *assignors) named(protocol string) sarama.BalanceStrategy {
	for _, b := range s.list {
		if b.Name() == protocol {
			return b
		}
	}
	return nil
}

// divide makes the leader's assignment: one for each member, also where it is empty. partitions leaves out topics
// without partitions. withheld: there are some that the plan keeps from their next owners.
func (s *assignors) divide(a makePlan, members map[string]sarama.ConsumerGroupMemberMetadata, partitions map[string][]int32) (q *sarama.SyncGroupRequest, withheld bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.named(a.protocol)
	if b == nil {
		return nil, false, fmt.Errorf("the broker chose the balance strategy %q, which is not ours", a.protocol)
	}
	defer func() {
		if r := recover(); r != nil {
			q, withheld, err = nil, false, fmt.Errorf("the balance strategy %q failed: %v", a.protocol, r)
		}
	}()
	shares, err := shareOut(b, members, partitions)
	if err != nil {
		if shares, err = shareOut(b, s.sane(b, members, partitions), partitions); err != nil {
			return nil, false, err
		}
	}
	s.asked = s.asked.uphold(members, partitions, shares)
	q = &sarama.SyncGroupRequest{}
	for _, id := range slices.Sorted(maps.Keys(members)) {
		data, err := b.AssignmentData(id, shares[id], a.generation)
		if err != nil {
			return nil, false, fmt.Errorf("the balance strategy %q: %w", a.protocol, err)
		}
		if err := q.AddGroupAssignmentMember(id, &sarama.ConsumerGroupMemberAssignment{Topics: shares[id], UserData: data}); err != nil {
			return nil, false, fmt.Errorf("the assignment of %s: %w", id, err)
		}
	}
	return q, len(s.asked) > 0, nil
}

// shareOut asks the strategy for a plan. What other members wrote into their metadata must not end this process.
func shareOut(b sarama.BalanceStrategy, members map[string]sarama.ConsumerGroupMemberMetadata, partitions map[string][]int32) (plan sarama.BalanceStrategyPlan, err error) {
	if len(partitions) == 0 { // roundrobin takes no topics for an error
		return sarama.BalanceStrategyPlan{}, nil
	}
	defer func() {
		if r := recover(); r != nil {
			plan, err = nil, fmt.Errorf("the balance strategy %q failed: %v", b.Name(), r)
		}
	}()
	if plan, err = b.Plan(members, partitions); err != nil {
		return nil, fmt.Errorf("the balance strategy %q: %w", b.Name(), err)
	}
	return plan, nil
}

// sane is the members without the user data with which the strategy fails: one member's, by itself, would cost all
// others their plan (sarama's sticky; Kafka's takes what it cannot read for nothing, StickyAssignor.java). What
// the member owns and subscribes to stays: a cooperative leader must not give that to others at once.
func (s *assignors) sane(b sarama.BalanceStrategy, members map[string]sarama.ConsumerGroupMemberMetadata, partitions map[string][]int32) map[string]sarama.ConsumerGroupMemberMetadata {
	sane := make(map[string]sarama.ConsumerGroupMemberMetadata, len(members))
	for id, meta := range members {
		if _, err := shareOut(b, map[string]sarama.ConsumerGroupMemberMetadata{id: meta}, partitions); err != nil {
			s.logger.Warn("a member's user data cannot be used: the plan is made without it", slog.String("member", id), slog.Any("error", err))
			meta.UserData = nil
		}
		sane[id] = meta
	}
	return sane
}
