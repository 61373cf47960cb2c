package member

import (
	"errors"
	"fmt"
)

// ErrLease says that what we owned is lost because no heartbeat was answered for 90 % of the session timeout.
// The broker gives our partitions away at 100 %; the difference is for those who are about to write.
var ErrLease = errors.New("the coordinator has not answered in time")

// renew: the broker sets its timer when it gets a request, which is after we have sent it.
func (m *machine) renew(sent instant) {
	if t := sent.add(m.session * 9 / 10); m.lease.never() || t.after(m.lease) {
		m.lease = t
	}
}

// checkLease: over means that everything is lost.
func (m *machine) checkLease(now instant) {
	if len(m.owned) == 0 || !now.reached(m.lease) {
		return
	}
	m.loseAll(fmt.Errorf("%w: nothing from it for %v, 90 %% of SessionTimeout = %v", ErrLease, m.session*9/10, m.session))
	if m.phase == stable || m.phase == unjoined { // else the request in flight tells what we are now
		m.phase = unjoined
		m.identify(m.memberID, -1) // the id may be good still
	}
}

func (m *machine) loseAll(err error) {
	m.target = nil
	m.lose(m.ours(func(tp, *claim) bool { return true }), err)
}
