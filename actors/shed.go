package actors

import (
	"time"
)

// Shed is what a long park has dropped from memory: the records behind the head, from the offset From on. The source is
// moved back there, and brings them again when the partition goes on.
type Shed struct {
	From    int64 // the first of them
	Records int
	Bytes   int // as Record.Size counts them
}

// Shed drops the tail of a backlog that is parked or paused. It answers what that was, and the number of the seek to its first offset,
// which has begun: what an older one fetches is dropped from now on. false: there is no tail, or it is neither.
//
// The head stays, and so does everything up to the last entry that is more than what the source brought: one in flight or
// done would be handled again, one that has failed would forget its attempts.
//
// Why the seek has to begin here. 10 is the head, 11 to 19 are shed, and a fetch from 20 is under way. Its answer would
// be appended behind 10: 11 to 19 would never come, and be committed over when 20 is done. As it is of an older seek, it
// is dropped, and so is everything until the source has been moved to 11.
func (b *Backlog) Shed() (s Shed, seek uint64, ok bool) {
	if b.state != assigned || !b.stands() {
		return Shed{}, 0, false
	}
	keep := b.length
	for keep > 1 && b.at(keep-1).state == waiting && b.at(keep-1).from.again == nil {
		keep--
	}
	if keep == b.length {
		return Shed{}, 0, false
	}
	s.From, s.Records = b.at(keep).offset, b.length-keep
	for i := keep; i < b.length; i++ {
		s.Bytes += int(b.at(i).size)
	}
	kept := make([]entry, keep)
	for i := range kept {
		kept[i] = *b.at(i)
	}
	b.ring, b.first, b.length = nil, 0, 0 // what is left of a ring of 20,000 must not stay as large
	b.grow(keep)
	copy(b.ring, kept)
	b.length = keep
	b.open -= s.Records
	b.bytes -= s.Bytes
	b.behind, b.shed = s.From, s
	b.seek++
	return s, b.seek, true
}

// parking is how long the partition has been parked or paused.
type parking struct {
	number uint64      // of the newest park: a timer of an older one means nothing
	timer  *time.Timer // nil: neither
	long   bool        // for longer than ShedAfter
}

// parkBegins starts the time of a park. One that takes the place of another goes on with the time of that: nothing was
// delivered in between.
func (m *Mailbox) parkBegins() {
	if m.parking.timer != nil || m.set.ShedAfter <= 0 || m.set.Reopen == nil || m.backlog.Stopping() {
		return
	}
	n := m.parking.number
	m.parking.timer = time.AfterFunc(m.set.ShedAfter, func() { m.shed(n) })
}

// standsNoMore is parkEnds, unless something else keeps the partition standing: a park under a pause, or a pause over one.
func (m *Mailbox) standsNoMore() {
	if !m.backlog.stands() {
		m.parkEnds()
	}
}

// parkEnds makes every older timer meaningless, also one that has fired and waits for the lock.
func (m *Mailbox) parkEnds() {
	if m.parking.timer != nil {
		m.parking.timer.Stop()
	}
	m.parking = parking{number: m.parking.number + 1}
}

// shedAgain is for what comes when the partition has been parked for long: the first record it has, or what a new
// position brings. The caller has the source's lock, and the source has to be moved: that is the timer's goroutine's.
func (m *Mailbox) shedAgain() {
	if m.parking.long {
		m.parking.timer.Reset(0)
	}
}

// shed drops the tail of a partition that has been parked for long, and has the source go back. It runs in the timer's
// goroutine, not in the mailbox's, which an actor that is at a message of its own may keep for hours.
//
// Who comes in between the two locks, the mailbox's and then the source's, meets this. The head is 10, its tail 11 to 19,
// the source at 20 under seek 1; the tail is dropped, which begins seek 2, and the source does not know it yet.
//
//   - An answer of the source (from 20, seek 1): the backlog drops it, and the source goes on to 21. It is moved to 11
//     afterwards.
//   - An un-park: there is room again, and the source fetches from 20, still under seek 1: as before. The head is
//     finished; the partition stands at 11, where the records come from when the source has been moved.
//   - Another park: it has its own time. When that is over and 11 has not come, there is no tail; and no room.
//   - A seek (SeekTo, acquired anew), with number 3: the source is moved by 3. If it has been already, it ignores 2.
//   - The end of the claim: the source has closed it, and knows no such claim.
//
// And the other way round: an un-park, a seek or an end that has the mailbox's lock first makes this timer meaningless.
func (m *Mailbox) shed(n uint64) {
	m.copyHead() // it would keep the fetch that the tail came in
	m.mu.Lock()
	if n != m.parking.number {
		m.mu.Unlock()
		return
	}
	m.parking.long = true
	s, seek, ok := m.backlog.Shed()
	if !ok {
		m.mu.Unlock()
		return
	}
	m.full = false
	m.source = nil // it gave up behind what was dropped, and will do so again when it comes there
	m.account()
	m.mu.Unlock()
	m.set.Reopen(s.From, seek)
	m.set.Budget.relieve()
	m.set.Tell(Report{Shed: &s})
}
