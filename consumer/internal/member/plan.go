package member

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// plan is what the leader hands to the coordinator, and what it was made from.
type plan struct {
	request  *sarama.SyncGroupRequest
	topics   map[string]conn.Topic // of all members
	withheld bool                  // partitions from their next owners
}

// plan makes the assignment of all members, in the background: it asks for the topics anew each time, and
// heartbeats go on meanwhile.
func (m *Member) plan(a makePlan) {
	m.request(m.options.RequestTimeout, func(ctx context.Context) any {
		list, _ := a.members.([]sarama.GroupMember)
		members, strange := m.subscriptions(list)
		var names []string
		for _, meta := range members {
			names = append(names, meta.Topics...)
		}
		slices.Sort(names)
		topics, err := m.metadata(ctx, slices.Compact(names))
		if err != nil {
			return planned{seq: a.seq, err: err}
		}
		partitions := map[string][]int32{}
		for t, top := range topics {
			for _, p := range top.Partitions {
				partitions[t] = append(partitions[t], p.ID)
			}
		}
		q, withheld, err := m.assignors.divide(a, members, partitions)
		if err != nil {
			return planned{seq: a.seq, err: err}
		}
		for _, id := range strange {
			_ = q.AddGroupAssignmentMember(id, &sarama.ConsumerGroupMemberAssignment{}) // an empty one always encodes
		}
		return planned{seq: a.seq, plan: &plan{q, topics, withheld}}
	})
}

// subscriptions decodes the members' metadata, each by itself: one that cannot be read gets nothing, and does not
// keep the others from getting theirs.
func (m *Member) subscriptions(list []sarama.GroupMember) (good map[string]sarama.ConsumerGroupMemberMetadata, strange []string) {
	good = map[string]sarama.ConsumerGroupMemberMetadata{}
	for _, one := range list {
		p := &sarama.JoinGroupResponse{Members: []sarama.GroupMember{one}}
		if meta, err := p.GetMembers(); err == nil {
			maps.Copy(good, meta)
		} else {
			m.options.Logger.Warn("a member's metadata cannot be read: it gets no partitions", slog.String("member", one.MemberId), slog.Any("error", err))
			strange = append(strange, one.MemberId)
		}
	}
	return good, strange
}

// metadata asks for topics. One that does not exist, or is not ours to see, has no partitions; any other error is
// one of the moment, and fails all: an assignment without that topic would take it from its owners.
func (m *Member) metadata(ctx context.Context, names []string) (map[string]conn.Topic, error) {
	md, err := m.options.Cluster.Topics(ctx, names...)
	if err != nil {
		return nil, err
	}
	for _, t := range names {
		if top := md.Topics[t]; top.Err != nil && fault(t, top) == nil && !errors.Is(top.Err, sarama.ErrLeaderNotAvailable) {
			return nil, top.Err
		}
	}
	return md.Topics, nil
}
