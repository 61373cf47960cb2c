package supervisor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// status is made of snapshots: it does not wait for any partition.
func (s *supervisor) status() *messages.Status {
	st := &messages.Status{
		Group: s.set.Group, Member: s.member, Generation: s.generation, Time: time.Now(),
		Counters: s.ended, Bytes: s.budget.Used(), Partitions: make([]messages.PartitionStatus, 0, len(s.claims)),
	}
	for _, c := range s.claims {
		p := c.mailbox.Snapshot()
		p.Committed, p.CommittedAt = c.committed, c.committedAt
		p.Counters = s.countersOf(c, p)
		c.describe(&p)
		st.Counters.Add(p.Counters)
		st.Partitions = append(st.Partitions, p)
	}
	slices.SortFunc(st.Partitions, func(a, b messages.PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Claim.Topic, b.Claim.Topic), cmp.Compare(a.Claim.Partition, b.Claim.Partition),
			cmp.Compare(a.Claim.Sequence, b.Claim.Sequence))
	})
	st.Pauses = s.pauses.status()
	st.Breaker = s.breakerText()
	st.Phase, st.Health = s.health(st.Partitions)
	if st.Breaker != "" {
		st.Health.Reasons = append(st.Health.Reasons, "the breaker is "+st.Breaker)
	}
	return st
}

// describe adds what the mailbox does not know: what the claim waits for outside of it.
func (c *claim) describe(p *messages.PartitionStatus) {
	switch {
	case c.leaving:
	case c.blocked != nil:
		p.State, p.Head = messages.StateParked, c.blocked.offset
	case c.start.timer != nil:
		p.NextRetry = c.start.until
	case c.actor.timer != nil:
		p.State, p.NextRetry = messages.StateHolding, c.actor.until
	}
}

func (s *supervisor) countersOf(c *claim, p messages.PartitionStatus) messages.Counters {
	n := p.Counters
	n.Commits, n.CommitsFailed = c.counted.Commits, c.counted.CommitsFailed
	return n
}

// health: holding, parked, paused and stuck ones are named and do not fail a probe, which would take the other partitions away,
// too; only a consumer that has ended is not live.
func (s *supervisor) health(partitions []messages.PartitionStatus) (phase string, h messages.Health) {
	h.Live, h.Ready = s.phase != stopped, true
	not := func(format string, args ...any) {
		h.Ready = false
		h.Reasons = append(h.Reasons, fmt.Sprintf(format, args...))
	}
	switch {
	case s.phase == stopped:
		phase = "stopped"
		not("the consumer has stopped")
	case s.phase == draining:
		phase = "draining"
		not("the consumer drains")
	case !s.belongs:
		phase = "joining"
		not("not a member of the group at the moment: it joins")
	default:
		phase = "member"
	}
	if s.notice != nil {
		not("%v", s.notice)
	}
	for _, p := range partitions {
		switch p.State {
		case messages.StateStuck:
			h.Reasons = append(h.Reasons, fmt.Sprintf("%s/%d is stuck at offset %d since %s", p.Claim.Topic, p.Claim.Partition, p.Head, p.OpenSince.Format(time.RFC3339)))
		case messages.StateParked:
			h.Reasons = append(h.Reasons, fmt.Sprintf("%s/%d is parked at offset %d: %s", p.Claim.Topic, p.Claim.Partition, p.Head, p.Reason))
		case messages.StatePaused:
			h.Reasons = append(h.Reasons, fmt.Sprintf("%s/%d is paused at offset %d by %s since %s", p.Claim.Topic, p.Claim.Partition, p.Head, p.PausedBy, p.PausedSince.Format(time.RFC3339)))
		case messages.StateHolding:
			if p.Reason == messages.ReasonBreaker { // said once, for all
				continue
			}
			h.Reasons = append(h.Reasons, fmt.Sprintf("%s/%d holds at offset %d until %s", p.Claim.Topic, p.Claim.Partition, p.Head, p.NextRetry.Format(time.RFC3339)))
		}
	}
	return phase, h
}

func (s *supervisor) committed(mc messages.Claim, next int64, at time.Time) {
	if c := s.claims[mc.Sequence]; c != nil {
		c.committed, c.committedAt = next, at
		c.counted.Commits++
	}
}
