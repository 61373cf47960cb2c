package member

import (
	"errors"
	"slices"
	"time"
)

// ErrRevokeTimeout says that a partition was not released in the rebalance timeout, so that it counts as lost.
var ErrRevokeTimeout = errors.New("the partition was not given up within the rebalance timeout")

// reserve is the part of the rebalance timeout that is kept for what follows a revocation's deadline: contexts
// are cancelled, the last offsets flushed, the join sent.
func (m *machine) reserve() time.Duration {
	return min(m.rules.heartbeat+5*time.Second, m.rebalance/2)
}

func (m *machine) revoke(tps []tp, by, over instant) {
	for _, p := range tps {
		m.owned[p].by, m.owned[p].over = by, over
	}
	if len(tps) > 0 {
		m.emit(revoke{tps, by})
	}
}

// giveUpAll: to stop, and in an eager group before every join.
func (m *machine) giveUpAll(now instant) {
	all := m.ours(func(_ tp, c *claim) bool { return c.kept() })
	if len(all) == 0 {
		return
	}
	by, over := m.stopDeadline(now), instant{} // who stops us waits as long as it wants
	if m.phase == unjoined && !m.cooperative { // but the group does not
		over = m.waitedFor()
		if now.reached(over) {
			m.lose(all, ErrRevokeTimeout)
			return
		}
		if early := m.earlyEnough(now); !m.stopping || by.after(early) {
			by = early
		}
	} else if !m.stopping {
		return
	}
	m.revoke(all, by, over)
}

// waitedFor is how long an eager group waits for our join at the least: the broker began to wait, at the earliest, after
// the last heartbeat that knew of no rebalance. Then it gives away what we have.
func (m *machine) waitedFor() instant { return m.lastOK.add(m.rebalance) }

// hasten: the group rebalances while an eager member gives up what it has, perhaps to stop and in no hurry. It is told
// again, with less time: what is released in time is committed, what is not is lost.
func (m *machine) hasten(now instant) {
	over, early := m.waitedFor(), m.earlyEnough(now)
	var sooner []tp
	for p, c := range m.owned {
		if c.kept() || !c.over.never() && !c.over.after(over) {
			continue
		}
		if c.over = over; c.by.after(early) {
			sooner = append(sooner, p)
		}
	}
	m.revoke(sorted(sooner), early, over)
}

// earlyEnough is when what is given up for an eager rebalance should be: when much of the time has passed, there is
// still a moment.
func (m *machine) earlyEnough(now instant) instant {
	over := m.waitedFor()
	return over.add(-min(m.reserve(), max(now.until(over), 0)/2))
}

// stopDeadline leaves time for the leave.
func (m *machine) stopDeadline(now instant) instant {
	if m.stopBy.never() {
		return now.add(m.rebalance - m.reserve())
	}
	rest := max(now.until(m.stopBy), 0)
	return now.add(max(rest-min(m.reserve(), rest/4), time.Millisecond))
}

// checkOverdue is a safety net: the supervisor abandons what does not end at its deadline and releases it.
func (m *machine) checkOverdue(now instant) {
	late := m.ours(func(_ tp, c *claim) bool { return !c.over.never() && now.reached(c.over) })
	m.lose(late, ErrRevokeTimeout)
}

func (m *machine) lose(tps []tp, err error) {
	for _, p := range tps {
		delete(m.owned, p)
	}
	if len(tps) > 0 {
		m.emit(lose{tps, err})
	}
}

func (m *machine) onReleased(tps []tp) {
	for _, p := range tps {
		if c := m.owned[p]; c != nil && !c.kept() {
			delete(m.owned, p)
		}
	}
}

func sorted(tps []tp) []tp {
	slices.SortFunc(tps, tp.compare)
	return tps
}
