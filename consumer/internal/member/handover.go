package member

import (
	"slices"

	"github.com/IBM/sarama"
)

// handovers are what the leader's last plan took from each member, which it may be giving up still.
//
// A plan knows what a member owned when it joined, not what it was giving up. Say a, b and c have six partitions:
//
//	(1) c is new: the plan takes 0 from a and 1 from b
//	(2) b has released 1, and joins; so has a to, and its handler of 0 runs on: it claims 0 as well
//	(3) a has one too many, and a strategy that looks at numbers only may take 2 from it this time
//
// Then 0, on its way out, is given back to a, and 2 moves for nothing.
type handovers map[string]map[tp]bool

// uphold changes a cooperative plan so that who has to give something up goes on giving up what it was asked to, and
// answers what this plan takes. All numbers stay as they are: a member keeps a partition of a topic in the place of another
// one of that topic. Both are its own, by its word and nobody else's, and given to nobody else yet.
func (h handovers) uphold(
	members map[string]sarama.ConsumerGroupMemberMetadata, partitions map[string][]int32, plan sarama.BalanceStrategyPlan,
) handovers {
	free := map[tp]bool{} // given to nobody
	for t, ps := range partitions {
		for _, p := range ps {
			free[tp{t, p}] = true
		}
	}
	for _, topics := range plan {
		for t, ps := range topics {
			for _, p := range ps {
				delete(free, tp{t, p})
			}
		}
	}
	claims := map[tp]int{}
	for _, meta := range members {
		for _, p := range claimed(meta) {
			claims[p]++
		}
	}
	next := handovers{}
	for id, meta := range members {
		owned := claimed(meta)
		for _, p := range owned {
			switch {
			case !free[p]:
				continue
			case !h[id][p] && claims[p] == 1:
				p = h.exchange(id, p, owned, plan[id][p.topic])
			}
			if next[id] == nil {
				next[id] = map[tp]bool{}
			}
			next[id][p] = true
		}
	}
	return next
}

// exchange finds, among what id is to keep of p's topic, a partition that it was asked to give up before, and lets it keep
// p in the place of that. It answers which of the two is given up.
func (h handovers) exchange(id string, p tp, owned []tp, kept []int32) tp {
	for i, n := range kept {
		if before := (tp{p.topic, n}); h[id][before] && slices.Contains(owned, before) {
			kept[i] = p.partition
			return before
		}
	}
	return p
}

// claimed is what a member says that it owns.
func claimed(meta sarama.ConsumerGroupMemberMetadata) []tp {
	var all []tp
	for _, t := range meta.OwnedPartitions {
		for _, p := range t.Partitions {
			all = append(all, tp{t.Topic, p})
		}
	}
	return all
}
