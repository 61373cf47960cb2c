package member

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/IBM/sarama"
)

// Two members own everything, and a third one comes. One of the two has released its share for it by the next plan, the
// other one has not: what it was asked for is what it is asked for again.
func TestAPlanDoesNotChangeItsMind(t *testing.T) {
	ids := []string{"a", "b", "c"}
	for seed := range int64(200) {
		r := rand.New(rand.NewSource(seed))
		r.Shuffle(3, func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		slow, quick, fresh := ids[0], ids[1], ids[2]
		each := 3 * (1 + r.Intn(4))
		var all []tp
		for _, p := range r.Perm(2 * each) {
			all = append(all, tp{"t", int32(p)})
		}
		owned := map[string][]tp{slow: all[:each], quick: all[each:], fresh: nil}
		s := newAssignors([]sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}, quiet)
		plan := planOf(t, s, owned, 2*each)
		asked := without(owned[slow], plan[slow])
		if len(asked) != each/3 {
			t.Fatalf("seed %d: %v of %v are asked for", seed, asked, owned[slow])
		}
		owned[quick] = plan[quick]
		if again := without(owned[slow], planOf(t, s, owned, 2*each)[slow]); !slices.Equal(asked, again) {
			t.Errorf("seed %d: asked to give up %v, and then %v", seed, asked, again)
		}
	}
}

// Whatever members say: all have as many partitions of each topic as the strategy gave them, nobody has what the strategy
// gave to somebody else, or what somebody else says is his, or what does not exist.
func TestAPlanThatIsUpheldIsStillOne(t *testing.T) {
	exchanged := 0
	for seed := range int64(2000) {
		r := rand.New(rand.NewSource(seed))
		some := func(of int) map[tp]bool {
			m := map[tp]bool{}
			for range r.Intn(of) {
				m[tp{string(rune('s' + r.Intn(2))), int32(r.Intn(8))}] = true
			}
			return m
		}
		partitions := map[string][]int32{"s": {0, 1, 2, 3, 4, 5}, "t": {0, 1, 2, 3}}
		members := map[string]sarama.ConsumerGroupMemberMetadata{}
		plan, owner := sarama.BalanceStrategyPlan{}, map[tp]string{}
		h := handovers{}
		for i := range 1 + r.Intn(4) {
			id := fmt.Sprint("m", i)
			claims := some(8)
			var owned []tp
			for p := range claims {
				owned = append(owned, p)
			}
			members[id] = sarama.ConsumerGroupMemberMetadata{OwnedPartitions: byTopic(sorted(owned))}
			for h[id] = some(6); len(owned) > 0 && r.Intn(3) > 0; {
				h[id][owned[r.Intn(len(owned))]] = true
			}
			for p := range some(6) {
				if slices.Contains(partitions[p.topic], p.partition) && owner[p] == "" {
					owner[p] = id
					plan.Add(id, p.topic, p.partition)
				}
			}
		}
		next := h.uphold(members, partitions, plan)
		count := map[string]int{}
		for p, id := range owner {
			count[id+p.topic]++
			if other := ownerIn(plan, p); other != "" && other != id {
				t.Fatalf("seed %d: %v was given to %s, and is %s's", seed, p, id, other)
			}
		}
		for id, topics := range plan {
			for topic, ps := range topics {
				if len(ps) != count[id+topic] || len(slices.Compact(slices.Sorted(slices.Values(ps)))) != len(ps) {
					t.Fatalf("seed %d: %s has %v of %s, and was given %d", seed, id, ps, topic, count[id+topic])
				}
				for _, n := range ps {
					p := tp{topic, n}
					if owner[p] == id {
						continue
					}
					exchanged++
					for other, meta := range members {
						if slices.Contains(claimed(meta), p) != (other == id) {
							t.Fatalf("seed %d: %s keeps %v, and owns it in the eyes of %s", seed, id, p, other)
						}
					}
					if !slices.Contains(partitions[topic], n) {
						t.Fatalf("seed %d: %s keeps %v, which does not exist", seed, id, p)
					}
				}
			}
		}
		for id := range next {
			for p := range next[id] {
				if ownerIn(plan, p) != "" {
					t.Fatalf("seed %d: %v is given, and asked of %s", seed, p, id)
				}
			}
		}
	}
	if exchanged < 100 {
		t.Errorf("only %d exchanges", exchanged)
	}
}

func ownerIn(plan sarama.BalanceStrategyPlan, p tp) string {
	for id, topics := range plan {
		if slices.Contains(topics[p.topic], p.partition) {
			return id
		}
	}
	return ""
}

// planOf is what the leader gives to each member, by what each owns of the topic t.
func planOf(t *testing.T, s *assignors, owned map[string][]tp, partitions int) map[string][]tp {
	t.Helper()
	members, there := map[string]sarama.ConsumerGroupMemberMetadata{}, map[string][]int32{}
	for p := range partitions {
		there["t"] = append(there["t"], int32(p))
	}
	for id, tps := range owned {
		members[id] = sarama.ConsumerGroupMemberMetadata{
			Version: 2, Topics: []string{"t"}, OwnedPartitions: byTopic(sorted(slices.Clone(tps))), GenerationID: 1,
		}
	}
	q, _, err := s.divide(makePlan{protocol: sarama.CooperativeStickyBalanceStrategyName, generation: 2}, members, there)
	if err != nil {
		t.Fatal(err)
	}
	plan := map[string][]tp{}
	for _, a := range q.GroupAssignments {
		share, err := (&sarama.SyncGroupResponse{MemberAssignment: a.Assignment}).GetMemberAssignment()
		if err != nil {
			t.Fatal(err)
		}
		plan[a.MemberId] = parts(share.Topics["t"]...)
	}
	return plan
}

func without(all, some []tp) []tp {
	return sorted(slices.DeleteFunc(slices.Clone(all), func(p tp) bool { return slices.Contains(some, p) }))
}
