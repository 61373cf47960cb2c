package member

import (
	"errors"
	"fmt"
)

// ErrLease says that what we owned is lost because the coordinator has not answered for so long that it may have given
// our partitions away. What the broker waits for is longer than what we wait for; the difference is for those who are
// about to write.
var ErrLease = errors.New("the coordinator has not answered in time")

// renew: the broker sets our session's timer when it gets a request, which is after we have sent it.
func (m *machine) renew(sent instant) {
	if t := sent.add(m.session * 9 / 10); m.lease.never() || t.after(m.lease) {
		m.lease = t
	}
}

// keep: the broker holds our place in the group at sent: no rebalance has begun, or our join waits in it. A rebalance
// that begins right afterwards gives everything away that is not claimed by a join within the rebalance timeout; and so
// does a generation that is made then and gets no sync from us in that time (Kafka: GroupCoordinator.onExpirePendingSync),
// though heartbeats are answered well all the while. Where that is less than the session, it comes first, say with 15 s
// and 45 s:
//
//	 0 s  a heartbeat of A is answered; then A is cut off
//	 1 s  B joins; the group waits for A
//	16 s  it waits no longer: B owns what A owned
//	40 s  A's session, less a tenth, is over; until here both would have worked
func (m *machine) keep(sent instant) {
	if t := sent.add(m.rebalance); m.place.never() || t.after(m.place) {
		m.place = t
	}
}

// leased is until when what we own is ours if nothing more is heard. What an eager member gives up for a rebalance has
// its own end, claim.over, which is that of the place.
//
// It is no other for a static member. A rebalance keeps its place for its session (Kafka: GroupCoordinator.onCompleteJoin
// throws out dynamic members only), but not what it owns: the leader makes its plan from the last join of each, and a join
// tells what its member owned before it. Say with 15 s and 45 s:
//
//	 0 s  A joins for the first time, owns nothing, and is given everything
//	 9 s  a heartbeat of A is answered; then A is cut off
//	10 s  B joins; the group waits for A
//	25 s  it waits no longer: A is still in it, and owns nothing as far as B, the leader, knows: B has half of it
//	50 s  A's session, less a tenth, is over; until here both would have worked
func (m *machine) leased() instant {
	if !m.cooperative && len(m.ours(func(_ tp, c *claim) bool { return c.over.never() })) == 0 {
		return m.lease
	}
	return either(m.lease, m.place)
}

// checkLease: over means that everything is lost.
func (m *machine) checkLease(now instant) {
	if len(m.owned) == 0 || !now.reached(m.leased()) {
		return
	}
	err := fmt.Errorf("%w: nothing from it for %v, 90 %% of SessionTimeout = %v", ErrLease, m.session*9/10, m.session)
	if !now.reached(m.lease) {
		err = fmt.Errorf("%w: the group may have rebalanced without us, RebalanceTimeout = %v is over", ErrLease, m.rebalance)
	}
	m.loseAll(err)
	if m.phase == stable || m.phase == unjoined { // else the request in flight tells what we are now
		m.phase = unjoined
		m.identify(m.memberID, -1) // the id may be good still
	}
}

func (m *machine) loseAll(err error) {
	m.target = nil
	m.lose(m.ours(func(tp, *claim) bool { return true }), err)
}
