package member

import "time"

// patience is how long a coordinator may be away, or an assignment may fail, before a user reads of it: a broker that
// restarts is back, or replaced, in less or not much more.
const patience = 5 * time.Second

// trouble is what keeps something from us: the coordinator, or an assignment.
type trouble struct {
	err    error // the last; nil: none
	at     instant
	denied bool
	told   bool
}

func (t *trouble) is() bool { return t.err != nil }

// due is when it should be told.
func (t *trouble) due() instant {
	switch {
	case t.err == nil || t.told:
		return instant{}
	case t.denied: // it will not pass by waiting
		return t.at
	default:
		return t.at.add(patience)
	}
}

// note takes an attempt that failed.
func (t *trouble) note(now instant, err error, denied bool) {
	if t.err == nil {
		t.at = now
	}
	if denied && !t.denied {
		t.denied, t.told, t.at = true, false, now
	}
	t.err = err
}

// telling answers what is to be told now, once; nil: nothing.
func (t *trouble) telling(now instant) error {
	if due := t.due(); due.never() || !now.reached(due) {
		return nil
	}
	t.told = true
	return t.err
}

// blame notes that the coordinator has not answered, or not well.
func (m *machine) blame(now instant, err error, denied bool) { m.trouble.note(now, err, denied) }

// praise: the coordinator has answered well. That says nothing about assignments, which may fail all the same: see
// strike.
func (m *machine) praise() {
	m.pauseIs = 0
	if m.trouble.told {
		m.emit(notice{})
	}
	m.trouble = trouble{}
}

// strike counts a join, plan or sync that failed, and puts the next join off: 1, 2, 4 … times the backoff, up to a
// hundred times. Each of these joins makes the whole group rebalance, and the coordinator answers joins and heartbeats
// well all the while: so only an assignment that comes about ends the count (see calm). A quarter of the rebalance
// timeout is the most: the broker, which waits for our join, must not throw us out meanwhile.
func (m *machine) strike(now instant, err error) {
	m.strikes++
	m.stall.note(now, err, false)
	m.putOff(now, m.strikes, 100*m.backoff)
}

// tardy is a sync that came too late, because the next rebalance is on. Now and then that is nothing; when it goes on
// and on, nobody gets anything, and there is a pause, a short one: the others wait for us.
func (m *machine) tardy(now instant, err error) {
	if m.strikes++; m.strikes > 2 {
		m.stall.note(now, err, false)
		m.putOff(now, m.strikes-2, 10*m.backoff)
	}
}

func (m *machine) putOff(now instant, times int, most time.Duration) {
	pause := m.backoff << min(times-1, 10)
	m.joinAt = now.add(min(pause, most, m.rebalance/4))
}

// calm: an assignment has come about.
func (m *machine) calm() {
	m.strikes, m.joinAt = 0, instant{}
	if m.stall.told {
		m.emit(stalled{})
	}
	m.stall = trouble{}
}

func (m *machine) tell(now instant) {
	if err := m.trouble.telling(now); err != nil {
		m.emit(notice{err})
	}
	if !m.trouble.is() { // else that is why
		if err := m.stall.telling(now); err != nil {
			m.emit(stalled{err})
		}
	}
}
