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

func (m *machine) revoke(tps []tp, by instant) {
	for _, p := range tps {
		m.owned[p].by, m.owned[p].over = by, by.add(m.reserve())
	}
	if len(tps) > 0 {
		m.emit(revoke{tps, by})
	}
}

// giveUpAll: to stop, and in an eager group before every join.
func (m *machine) giveUpAll(now instant) {
	all := m.ours(func(_ tp, c *claim) bool { return c.kept() })
	switch {
	case len(all) == 0:
	case m.stopping:
		m.revoke(all, m.stopDeadline(now))
		for _, p := range all {
			m.owned[p].over = instant{} // who stops us waits as long as it wants
		}
	case m.phase == unjoined && !m.cooperative:
		m.revoke(all, m.eagerDeadline(now))
	}
}

// eagerDeadline: the broker began to wait for its members after, at the earliest, the last heartbeat that knew of
// no rebalance. When that is too long ago, there is still a moment.
func (m *machine) eagerDeadline(now instant) instant {
	by := m.lastOK.add(m.rebalance - m.reserve())
	if now.until(by) < m.reserve()/2 {
		return now.add(m.reserve() / 2)
	}
	return by
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
	for _, p := range late {
		delete(m.owned, p)
	}
	if len(late) > 0 {
		m.emit(lose{late, ErrRevokeTimeout})
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
