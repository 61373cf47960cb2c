package member

import (
	"slices"
	"time"
)

// rules are the machine's settings.
type rules struct {
	instance    string // group.instance.id: static membership (KIP-345) when not empty
	leaveStatic bool   // a static member leaves for good when it stops
	cooperative bool   // KIP-429: keep what stays ours over a rebalance
	session     time.Duration
	rebalance   time.Duration
	heartbeat   time.Duration
	backoff     time.Duration // first pause before a retry; doubles up to 10 times this
}

// claim is a partition that we own. While by is never, we keep it.
type claim struct {
	by   instant // it is being given up, and should be by then
	over instant // it is lost if it is not given up by then; never: somebody else sees to that
}

func (c *claim) kept() bool { return c.by.never() }

// machine is the group protocol, as events in and actions out. It knows no clock, goroutine or connection.
type machine struct {
	rules

	phase    phase
	stopping bool
	stopBy   instant
	hurryAt  instant // what a leave would wait for is not waited for any longer; never: it is

	seq     int  // of the last request
	finding int  // the look-up in flight; 0: none
	request int  // the join, plan or sync in flight
	beat    int  // the heartbeat in flight
	probe   bool // it belongs to no generation
	leave   int  // the leave in flight

	coordinator string // "": not known
	last        string // that was known

	memberID   string
	generation int32 // -1: none
	protocol   string
	leader     bool
	met        bool // a join was sent: the broker may know us
	fledgling  bool // our id was given in a generation that has no assignment yet
	orphan     bool // and another broker has become the coordinator since
	reason     string
	joinedAt   instant // when the join in flight was sent

	ghost  bool  // the leader of this generation is our own earlier self: nobody leads
	healed int32 // the generation whose ghost we have joined against once more; 0: none

	owned   map[tp]*claim
	target  map[tp]bool // the last assignment
	claimed []tp        // what the last join said that we own
	seated  bool        // the sync of this generation was answered: the group does not wait for it

	withheld bool    // our plan keeps partitions from their next owners
	askAt    instant // and the group is asked for another one then; never: there is no need
	asked    int     // how often in a row it was

	lease    instant // the broker keeps our session until then
	place    instant // and, whatever the group does, our place in it until then
	lastOK   instant // when the last heartbeat that knew of no rebalance was sent
	answered instant // when the last heartbeat that was answered well was sent
	beatAt   instant
	freshAt  instant // heartbeats are close together after this

	retryAt instant
	pauseIs time.Duration
	strikes int     // joins, plans and syncs that failed since the last assignment
	joinAt  instant // no join before it

	trouble trouble // what keeps the coordinator from us
	stall   trouble // what keeps assignments from us
	out     []action
}

func newMachine(r rules) *machine {
	return &machine{rules: r, generation: -1, owned: map[tp]*claim{}}
}

// step takes one event and returns what to do.
func (m *machine) step(now instant, ev event) []action {
	m.out = nil
	if _, ok := ev.(start); ok && m.phase == idle {
		m.phase = unjoined
	}
	switch m.phase {
	case ended:
		return nil
	case idle:
		switch ev.(type) {
		case stop, cut:
			m.finish()
		}
		return m.out
	}
	m.handle(now, ev)
	if m.phase != ended {
		m.advance(now)
	}
	return m.out
}

func (m *machine) handle(now instant, ev event) {
	switch e := ev.(type) {
	case cut:
		m.finish()
	case stop:
		if !m.stopping { // a join in hand goes on: the last commits need its generation
			if m.stopping, m.stopBy = true, e.by; !e.by.never() {
				m.hurryAt = m.stopDeadline(now)
			}
		}
	case found:
		if e.seq == m.finding {
			m.onFound(now, e)
		}
	case joined:
		if e.seq == m.request && m.phase == joining {
			m.onJoined(now, e)
		}
	case planned:
		if e.seq == m.request && m.phase == planning {
			m.onPlanned(now, e)
		}
	case synced:
		if e.seq == m.request && m.phase == syncing {
			m.onSynced(now, e)
		}
	case beaten:
		if e.seq == m.beat {
			m.beat = 0
			if m.probe {
				m.onProbed(now, e.sent, e.err)
			} else {
				m.onBeat(now, e.sent, e.err)
			}
		}
	case told:
		if m.generation >= 0 && e.member == m.memberID && e.generation == m.generation {
			m.onTold(now, e.err)
		}
	case left:
		if e.seq == m.leave && m.phase == leaving {
			m.onLeft(now, e.err)
		}
	case released:
		m.onReleased(e.tps)
	case rejoin:
		if m.phase == stable && !m.stopping {
			m.phase, m.reason = unjoined, e.reason
		}
	}
}

// advance does whatever the state allows by now. The lease comes before all else.
func (m *machine) advance(now instant) {
	m.checkLease(now)
	m.checkOverdue(now)
	if m.phase == stable && !m.stopping {
		m.settle(now)
		m.ask(now)
	}
	m.giveUpAll(now)
	m.tell(now)
	if m.tryLeave(now) {
		return
	}
	if m.coordinator == "" {
		m.look(now)
		return
	}
	m.tryBeat(now)
	m.tryJoin(now)
}

// next is when step wants a tick at the latest; never: only an event changes anything.
func (m *machine) next() instant {
	var t instant
	earlier := func(x instant) {
		switch {
		case x.never():
		case t.never():
			t = x
		default:
			t = either(t, x) // after a sleep, one may come first by this clock, and the other by that
		}
	}
	if m.phase == idle || m.phase == ended {
		return t
	}
	if m.coordinator == "" && m.finding == 0 || m.mayLeave() {
		earlier(m.retryAt)
	}
	if m.mayHurry() && !m.hurryAt.never() {
		earlier(both(m.retryAt, m.hurryAt))
	}
	if m.mayJoin() {
		earlier(both(m.retryAt, m.joinAt))
	}
	if m.mayBeat() {
		earlier(m.beatAt)
	}
	if len(m.owned) > 0 {
		earlier(m.leased())
	}
	for _, c := range m.owned {
		earlier(c.over)
	}
	if m.phase == stable && !m.stopping {
		earlier(m.askAt)
	}
	earlier(m.trouble.due())
	if !m.trouble.is() {
		earlier(m.stall.due())
	}
	return t
}

// finish ends everything without a word to the broker.
func (m *machine) finish() {
	m.phase = ended
	clear(m.owned)
	m.emit(end{})
}

// ruin ends the membership for good.
func (m *machine) ruin(err error) {
	m.loseAll(err)
	m.phase = ended
	m.emit(fail{m.rules.explain(err)})
}

// pause puts the next attempt off: 1, 2, 4 … 10 times the backoff.
func (m *machine) pause(now instant) {
	m.pauseIs = min(max(2*m.pauseIs, m.backoff), 10*m.backoff)
	m.retryAt = now.add(m.pauseIs)
}

func (m *machine) id() int       { m.seq++; return m.seq }
func (m *machine) emit(a action) { m.out = append(m.out, a) }

// identify sets who we are.
func (m *machine) identify(member string, generation int32) {
	if m.memberID != member || m.generation != generation {
		m.memberID, m.generation = member, generation
		m.emit(identify{member, generation})
	}
}

// ours lists the owned partitions that match, in order.
func (m *machine) ours(match func(tp, *claim) bool) []tp {
	var all []tp
	for p, c := range m.owned {
		if match(p, c) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, tp.compare)
	return all
}
