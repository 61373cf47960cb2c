package member

// remind notes when the leader asks for another plan, because the one that has just become the group's withholds
// partitions, and the rebalance that gives them away may never come. The one who would ask for it is the member that
// gives them up; but a static member can die before it has, and come back within its session: its place is kept, and no
// rebalance tells that it owns nothing any more. Say with 60 s, 45 s and a reserve of 8 s:
//
//	 0 s  the plan is the group's: A is to give p up for B; A handles a record, and it takes 30 s
//	10 s  A is killed
//	20 s  A is started again, takes its earlier place in the group at once, and is given what the plan has for it: not p
//	55 s  A's session would be over by now; but it has begun anew
//	68 s  nobody can be giving p up any more, and the plan is still the group's: the leader joins, and B has p
//
// Who leads is the one to ask: it knows what its plan withholds, and its join starts a rebalance though nothing has
// changed. If it goes itself, the group has another leader after a rebalance; if it is static, and comes back, it joins
// once more in any case (see isOurs). Whoever claims p for longer than that, because its rebalance timeout is longer than
// ours or because it never gives up, makes the next plan withhold p again: then the pauses double, up to 16 times.
func (m *machine) remind(now instant) {
	if m.leader && m.withheld {
		m.askAt = now.add((m.rebalance + m.reserve()) << min(m.asked, 4))
	}
}

// ask: the plan has withheld partitions for too long.
func (m *machine) ask(now instant) {
	if m.phase == stable && !m.askAt.never() && now.reached(m.askAt) {
		m.phase, m.reason, m.askAt = unjoined, "partitions that were to be given up have no owner yet", instant{}
		m.asked++
	}
}
