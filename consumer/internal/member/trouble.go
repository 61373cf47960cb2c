package member

import "time"

// patience is how long a coordinator may be away before a user reads of it: a broker that restarts is back, or
// replaced, in less or not much more.
const patience = 5 * time.Second

// trouble is what keeps the coordinator from us.
type trouble struct {
	err    error // the last; nil: none
	at     instant
	denied bool
	told   bool
}

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

// blame notes an attempt that failed.
func (m *machine) blame(now instant, err error, denied bool) {
	t := &m.trouble
	if t.err == nil {
		t.at = now
	}
	if denied && !t.denied {
		t.denied, t.told, t.at = true, false, now
	}
	t.err = err
}

// praise: the coordinator has answered well.
func (m *machine) praise() {
	m.pauseIs = 0
	if m.trouble.told {
		m.emit(notice{})
	}
	m.trouble = trouble{}
}

func (m *machine) tell(now instant) {
	if due := m.trouble.due(); !due.never() && now.reached(due) {
		m.trouble.told = true
		m.emit(notice{m.trouble.err})
	}
}
