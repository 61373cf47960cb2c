package member

import (
	"context"
	"maps"
	"slices"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// topics is what the member knows of the subscribed topics. The group's leader asks for those of all members at
// intervals, and starts a rebalance when their partitions are others than the plan was made from. The others ask
// only when one of their own topics gave them nothing, and go on only while it does not exist: their user must
// read of it, too.
type topics struct {
	own     []string
	leader  bool
	plan    map[string]int // partitions by topic, of all members, as the last plan of ours saw them; nil: none
	plans   int            // counts them, and their ends: a look that began before says nothing about one
	unsure  bool           // a topic of our own gave us nothing
	looking bool
}

func newTopics(own []string) topics { return topics{own: own} }

// looked is the answer to a look.
type looked struct {
	plans  int
	topics map[string]conn.Topic
	err    error
}

// lead says whether we lead the group; the plan of an earlier generation is nobody's.
func (t *topics) lead(on bool) { t.leader, t.plan, t.plans = on, nil, t.plans+1 }

// planned notes what the plan was made from.
func (t *topics) planned(seen map[string]conn.Topic, n *notices) {
	t.plan, t.plans = counts(seen), t.plans+1
	t.check(seen, n)
}

// check notes which of our own topics cannot be consumed.
func (t *topics) check(seen map[string]conn.Topic, n *notices) {
	n.topics = map[string]error{}
	for _, name := range t.own {
		if err := fault(name, seen[name]); err != nil {
			n.topics[name] = err
		}
	}
	n.update()
}

func counts(seen map[string]conn.Topic) map[string]int {
	c := map[string]int{}
	for t, top := range seen {
		c[t] = len(top.Partitions)
	}
	return c
}

// assignedOf looks at once whether a topic of ours that gave us nothing exists.
func (m *Member) assignedOf(target map[tp]bool) {
	has := map[string]bool{}
	for p := range target {
		has[p.topic] = true
	}
	m.topics.unsure = slices.ContainsFunc(m.topics.own, func(t string) bool { return !has[t] })
	if m.topics.unsure && !m.topics.leader {
		m.look()
	}
}

// look asks for the topics that matter now, in the background.
func (m *Member) look() {
	t := &m.topics
	var names []string
	switch {
	case t.looking:
		return
	case t.leader && t.plan != nil:
		names = slices.Sorted(maps.Keys(t.plan))
	case t.unsure || len(m.notices.topics) > 0:
		names = t.own
	default:
		return
	}
	t.looking = true
	plans := t.plans
	m.request(m.options.RequestTimeout, func(ctx context.Context) any {
		seen, err := m.metadata(ctx, names)
		return looked{plans, seen, err}
	})
}

// onLooked compares with the plan.
func (m *Member) onLooked(l looked) event {
	t := &m.topics
	t.looking = false
	if l.err != nil {
		return nil // the next look, or the next plan, will do
	}
	t.unsure = false
	t.check(l.topics, &m.notices)
	if !t.leader || t.plan == nil || t.plans != l.plans || maps.Equal(t.plan, counts(l.topics)) {
		return nil
	}
	return rejoin{"the partitions of a subscribed topic have changed"}
}
