package actors

import (
	"github.com/ottla-go/ottla/messages"
)

// Open says where the claim begins. It answers the number of the seek with which the source is to be opened.
// What a previous owner left is taken over: attempts, and a park.
func (m *Mailbox) Open(next, fence int64, carried Progress) (seek uint64) {
	m.mu.Lock()
	seek = m.await(next)
	m.fence = fence
	if carried.Next == next {
		m.backlog.Carry(next, carried.Attempt)
		if carried.Parked {
			m.park(carried.Reason, messages.ClassHandler)
			m.backlog.gate.Named = carried.Attempt == 0 // nothing else but an operator parks what was never tried
		}
	}
	if !m.opened {
		m.opened, m.greet = true, true
	}
	m.kick()
	return seek
}

// await throws the backlog away. A park that is not about the position stays: who parked the partition has not
// spoken yet. An operator's park of a record ends where another one comes first: that one nobody has parked.
func (m *Mailbox) await(offset int64) (seek uint64) {
	gate, head, moves := m.backlog.Gate(), m.backlog.Next(), m.backlog.Moves(offset)
	seek = m.backlog.Await(offset)
	switch {
	case gate.Kind != Parked || gate.passes():
	case gate.Named && moves:
		m.unparked(head)
	default:
		m.backlog.gate = gate
	}
	m.standsNoMore()
	m.full, m.source, m.awaitAck = false, nil, false
	m.set.Breaker.yield(m)
	return seek
}

// Reseek throws the backlog away and goes on at offset, with a newer fence. It answers the seek's number.
func (m *Mailbox) Reseek(next, fence int64) (seek uint64) {
	m.mu.Lock()
	m.stopTimer()
	seek = m.await(next)
	m.fence = fence
	m.push(false)
	m.kick()
	return seek
}

// Revoke takes no more records and gives none out. What is in flight may finish; then the actor is told, and
// stops. It overtakes the backlog, a hold, a park, and a suspension. A claim that is being given up already, or
// lost, is not revoked again.
func (m *Mailbox) Revoke(said *messages.Revoked) {
	m.mu.Lock()
	if !m.backlog.Stopping() {
		m.leave(said)
	}
	m.kick()
}

// Lose is Revoke without a chance to finish: contexts end with ErrLost, and nothing is committed any more.
//
// They end under the lock. A partition is being revoked, and its handler returns for the end of its context: before it is
// known here why that has ended, the actor would be told Revoked, as if it were still the owner.
func (m *Mailbox) Lose(said *messages.Lost) {
	m.mu.Lock()
	m.lost = true
	m.attempt.withdraw()
	m.endClaim(messages.ErrLost)
	m.leave(said)
	m.kick()
}

func (m *Mailbox) leave(said any) {
	m.backlog.Stop()
	m.stopTimer()
	m.unpace()
	m.set.Breaker.yield(m)
	m.parkEnds()
	m.farewell = said
}

// Cancel ends the contexts of the claim's attempts, with one of ErrRevoked, ErrLost and ErrStopped. An error
// that is answered afterwards is no failure.
func (m *Mailbox) Cancel(cause error) { m.endClaim(cause) }

// Abandon leaves a handler behind that did not return in time: when it does, its answer does not count and
// nothing but Stop is delivered. What was finished before is noted for the committer, and so is a record that was
// completed, although its handler has not returned. Contexts end under the lock, as in Lose.
func (m *Mailbox) Abandon(cause error) {
	m.mu.Lock()
	if a := &m.attempt; a.record != nil && a.answered && a.outcome == nil && !m.over() {
		m.finish(a.record) // whoever answered was told that it counts
	}
	m.note(true)
	m.abandoned = true
	m.attempt.withdraw()
	m.endClaim(cause)
	m.leave(nil)
	said := m.unsaid
	m.unsaid = nil
	m.kick()
	for _, r := range said { // the goroutine that would tell it may never return
		m.set.Tell(r)
	}
}

// Close gives back what the claim counts for in the budget. Call it once, when its actor has ended or was
// abandoned.
func (m *Mailbox) Close() {
	m.endClaim(messages.ErrStopped)
	m.mu.Lock()
	m.stopTimer()
	m.attempt.withdraw()
	m.parkEnds()
	if !m.left {
		m.left = true
		m.set.Budget.leave(m, m.accounted)
		m.set.Breaker.forget(m)
	}
	m.mu.Unlock()
	m.set.Budget.relieve()
}

// Progress is where the partition stands, for the last commit of a claim.
func (m *Mailbox) Progress() Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.progress()
}

// Deliver is Sink's.
func (m *Mailbox) Deliver(seek uint64, batch Batch, extent Extent) {
	m.mu.Lock()
	if seek == m.backlog.seek {
		m.extent, m.extentOf = extent, seek
	}
	if m.backlog.Append(seek, batch) > 0 {
		m.account()
		m.shedAgain()
	}
	m.kick()
}

// Failed is Sink's: when what was fetched before is finished, the partition parks.
func (m *Mailbox) Failed(seek uint64, err error) {
	o := examine(err)
	m.mu.Lock()
	if seek == m.backlog.seek {
		m.source = o
	}
	m.kick()
}

// Room is Sink's.
func (m *Mailbox) Room() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.backlog.Stopping() || !m.opened || m.left {
		return -1
	}
	none := 0
	if m.backlog.Gate().Kind != Open || m.backlog.Paused() {
		none = -1 // for how long, nobody knows: no reason to hurry other partitions' polls
	}
	if m.parking.long && m.backlog.Unfinished() > 0 {
		return none // what came would be shed
	}
	own := m.backlog.Bytes()
	if own >= m.set.Bytes || m.backlog.Unfinished() >= m.set.Records {
		m.full = true
	}
	if m.full {
		return none
	}
	m.account()
	allowed, ok := m.set.Budget.room(m, own)
	if !ok {
		m.refused = true
		return none
	}
	return max(1, min(m.set.Bytes-own, allowed))
}

// makeRoom wakes the source when a full backlog has emptied by half, so that it refills in large fetches, and when
// one that the budget refused is well below its equal part.
func (m *Mailbox) makeRoom() {
	if m.full && m.backlog.Bytes() <= m.set.Bytes/2 && m.backlog.Unfinished() <= m.set.Records/2 {
		m.full, m.wake = false, true
	}
	if m.refused && int64(m.backlog.Bytes()) <= m.set.Budget.limit/(4*max(1, m.set.Budget.members.Load())) {
		m.refused, m.wake = false, true
	}
}
