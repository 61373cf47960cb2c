package actors

import (
	"time"

	"github.com/ottla-go/ottla/messages"
)

// Backlog is what was fetched of one partition and is not finished: a ring of entries in received order, each
// waiting, in flight or done. The ring is the offset tracker, too: the head pops while it is done, and the
// first entry that is left is where the partition stands.
//
// It knows no clock, goroutine or lock and is not safe for concurrent use. Its zero value awaits its first
// Await.
//
//	state         Append                              Peek                       Len
//	AwaitingSeek  the first record at or after the    none                       absent
//	              offset, of the fetch that this
//	              seek began; the rest is dropped
//	Assigned      to the tail                         the head with its attempt  n
//	 holding      to the tail                         none until Release         n
//	 parked       to the tail; Shed drops it, and     none until Release         n
//	              begins a seek to what it dropped
//	 paused       as parked; beside a hold or a park  none until Resume          n
//	Stopping      dropped                             none                       absent
type Backlog struct {
	state  phase
	gate   Gate
	paused bool   // by an operator, whatever the gate says
	seek   uint64 // number of the newest seek
	next   int64  // behind what was finished: where the partition stands while the ring is empty; while awaiting a seek, the wanted offset
	behind int64  // the first offset that Shed dropped: nothing below it is received any more
	shed   Shed   // by this park
	ring   []entry
	first  int // index of the head
	length int // entries in the ring
	open   int // entries that are not done
	bytes  int
	carry  carried
}

type phase uint8

const (
	awaitingSeek phase = iota
	assigned
	stopping
)

type progress uint8

const (
	waiting progress = iota
	inFlight
	done
)

// entry is a record in the ring. One that is done keeps its offset only.
type entry struct {
	offset int64
	from   *fetched
	index  int32
	size   int32
	state  progress
}

// carried is what a previous owner left about the record at one offset.
type carried struct {
	offset  int64
	attempt int
}

// Gate holds records back. The zero Gate is open.
type Gate struct {
	Kind   GateKind
	Until  time.Time // Holding
	Reason string    // Parked
	Class  messages.Class
	// Stays says that a park travels to the next owner with the commit. It does not when the consumer itself ends by
	// it: the record that was escalated is tried again by whoever comes next.
	Stays bool
	// Named says that an operator has parked the record at the head by its offset. The park ends with that record, which may
	// be in flight; and it travels although the record may never have been tried.
	Named bool
}

// passes: it is about where the partition stands, or about who may be there, and is over when that has changed.
func (g Gate) passes() bool {
	return g.Class == messages.ClassSource || g.Class == messages.ClassStore || g.Class == messages.ClassFenced
}

// GateKind tells why no record is delivered.
type GateKind uint8

// Open lets records pass; Holding waits for a time, Parked for somebody.
const (
	Open GateKind = iota
	Holding
	Parked
)

// Await throws the backlog away and awaits the first record at or after offset from the fetch that this seek
// begins; it answers that fetch's number, which is never 0. An exact match would wait for ever: the record at a
// store's "last + 1" may be a transaction's marker, or compacted away.
//
// A seek to where the partition stands forgets no attempts: a partition whose source is asked again is still at
// the same record.
func (b *Backlog) Await(offset int64) (seek uint64) {
	b.seek++
	if b.state == stopping {
		return b.seek
	}
	keep := carried{offset: -1}
	if offset == b.Next() {
		keep = carried{offset, b.Attempts()}
	}
	b.state, b.gate, b.next, b.carry = awaitingSeek, Gate{}, offset, keep
	b.ring, b.first, b.length, b.open, b.bytes = nil, 0, 0, 0, 0
	b.behind, b.shed = 0, Shed{}
	return b.seek
}

// Moves says whether a seek to offset is one to another record. Between the last one that was finished and the head there
// is none: a store's next offset may be a transaction's marker, where the head is behind it.
func (b *Backlog) Moves(offset int64) bool { return offset < b.next || offset > b.Next() }

// Carry notes that a previous owner made attempts at the record at offset.
func (b *Backlog) Carry(offset int64, attempts int) { b.carry = carried{offset, attempts} }

// Append takes the records of one fetch and answers how many bytes it accepted. It drops what an older seek
// fetched, what lies below the position, and everything once the backlog is stopping.
func (b *Backlog) Append(seek uint64, batch Batch) (bytes int) {
	if b.state == stopping || seek != b.seek || seek == 0 || batch == nil { // 0: nothing was asked for yet
		return 0
	}
	n, i, from := batch.Len(), 0, b.received()
	for i < n && batch.Offset(i) < from {
		i++
	}
	if i == n {
		return 0
	}
	b.state = assigned
	b.grow(n - i)
	source := &fetched{batch: batch}
	for ; i < n; i++ {
		size := batch.Size(i)
		b.ring[(b.first+b.length)&(len(b.ring)-1)] = entry{
			offset: batch.Offset(i), from: source, index: int32(i), size: int32(size), // a fetch is below 2 GiB
		}
		b.length++
		b.open++
		bytes += size
	}
	b.bytes += bytes
	return bytes
}

// received is the lowest offset that has not been received.
func (b *Backlog) received() int64 {
	if b.length == 0 {
		return b.next
	}
	return max(b.behind, b.at(b.length-1).offset+1)
}

func (b *Backlog) at(i int) *entry { return &b.ring[(b.first+i)&(len(b.ring)-1)] }

// grow makes room for n more entries; the ring's size is a power of two.
func (b *Backlog) grow(n int) {
	size := max(len(b.ring), 16)
	for size < b.length+n {
		size *= 2
	}
	if size == len(b.ring) {
		return
	}
	ring := make([]entry, size)
	for i := range b.length {
		ring[i] = *b.at(i)
	}
	b.ring, b.first = ring, 0
}

// Peek answers whether a record is due. It is the first one that waits; by partition that is the head.
func (b *Backlog) Peek() (offset int64, ok bool) {
	if e := b.due(); e != nil {
		return e.offset, true
	}
	return 0, false
}

func (b *Backlog) due() *entry {
	if b.state != assigned || b.gate.Kind != Open || b.paused || b.length == 0 {
		return nil
	}
	if e := b.at(0); e.state == waiting { // by partition, the next record waits for the head
		return e
	}
	return nil
}

// Take marks the record that is due as in flight. Read fills it.
func (b *Backlog) Take() (t Taken, ok bool) {
	e := b.due()
	if e == nil {
		return Taken{}, false
	}
	e.state = inFlight
	return b.taken(e), true
}

func (b *Backlog) taken(e *entry) (t Taken) {
	t = Taken{Offset: e.offset, from: e.from, at: place{e.index, e.size}}
	switch {
	case e.from.again != nil:
		t.Attempt = e.from.again.Attempt
	case e.offset == b.carry.offset:
		t.Attempt = b.carry.attempt
	}
	return t
}

// Head is the head, if it waits.
func (b *Backlog) Head() (t Taken, ok bool) {
	if b.state != assigned || b.length == 0 || b.at(0).state != waiting {
		return Taken{}, false
	}
	return b.taken(b.at(0)), true
}

// Pins answers the head if it is parked, or paused, and pins its fetch: nothing has copied it, because it has not failed here.
func (b *Backlog) Pins() (t Taken, ok bool) {
	t, ok = b.Head()
	if !ok || !b.stands() || t.Again() != nil {
		return Taken{}, false
	}
	return t, true
}

// Own puts a copy of it in its place, unless it has gone, or is in flight, by now.
func (b *Backlog) Own(t Taken, copied *messages.Record) {
	if e := b.find(t.Offset); e != nil && e.state == waiting && e.from == t.from {
		e.from, e.index = &fetched{again: copied}, 0
	}
}

// Finish ends the record at offset and dequeues by identity: for an offset that is not in the ring, or done
// already, it is a no-op and answers false. The head pops while it is done.
func (b *Backlog) Finish(offset int64) bool {
	e := b.find(offset)
	if e == nil || e.state == done {
		return false
	}
	b.bytes -= int(e.size)
	b.open--
	e.state, e.from, e.size = done, nil, 0
	for b.length > 0 && b.at(0).state == done {
		b.next = b.at(0).offset + 1
		*b.at(0) = entry{}
		b.first = (b.first + 1) & (len(b.ring) - 1)
		b.length--
	}
	if b.length == 0 {
		b.next = max(b.next, b.behind)
	}
	return true
}

// Fail puts the record in flight at offset back, with its next attempt, whose bytes are its own so that a head
// that waits for long pins no fetch. With nil it waits as it was: an attempt that does not count.
func (b *Backlog) Fail(offset int64, again *messages.Record) bool {
	e := b.find(offset)
	if e == nil || e.state != inFlight {
		return false
	}
	e.state = waiting
	if again != nil {
		e.from, e.index = &fetched{again: again}, 0
	}
	return true
}

func (b *Backlog) find(offset int64) *entry {
	if b.length > 0 && b.at(0).offset == offset { // nearly always the head
		return b.at(0)
	}
	lo, hi := 0, b.length
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch e := b.at(mid); {
		case e.offset == offset:
			return e
		case e.offset < offset:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return nil
}

// Hold holds records back until Release.
func (b *Backlog) Hold(until time.Time) { b.gate = Gate{Kind: Holding, Until: until} }

// Park holds records back until somebody acts. What is appended goes to the tail: a fetch overshoots every
// pause, and a record that was dropped here would never come again in this claim. Shed drops, and says where to begin
// again.
func (b *Backlog) Park(reason string, class messages.Class) {
	b.gate = Gate{
		Kind: Parked, Reason: reason, Class: class,
		Stays: class != messages.ClassSource && class != messages.ClassFenced, // they are about this owner
	}
}

// Release opens the gate.
func (b *Backlog) Release() {
	if b.gate = (Gate{}); !b.stands() {
		b.shed = Shed{}
	}
}

// Pause holds records back until Resume, whatever becomes of the gate meanwhile. No seek ends it.
func (b *Backlog) Pause() { b.paused = true }

// Resume ends a pause. A hold or a park stays.
func (b *Backlog) Resume() {
	if b.paused = false; !b.stands() {
		b.shed = Shed{}
	}
}

// Paused says whether Pause was called, and Resume was not since.
func (b *Backlog) Paused() bool { return b.paused }

// stands: somebody has to act before a record is delivered, and nobody knows when.
func (b *Backlog) stands() bool { return b.gate.Kind == Parked || b.paused }

// Gate is what holds records back.
func (b *Backlog) Gate() Gate { return b.gate }

// Stop ends it for good: nothing is appended or due any more. What is in flight can still be finished.
func (b *Backlog) Stop() { b.state = stopping }

// Stopping says whether Stop was called.
func (b *Backlog) Stopping() bool { return b.state == stopping }

// Awaiting says whether the first record of a seek has not come yet.
func (b *Backlog) Awaiting() bool { return b.state == awaitingSeek }

// Len is the number of unfinished records; absent unless assigned.
func (b *Backlog) Len() (n int, ok bool) { return b.open, b.state == assigned }

// Unfinished is the number of records in the ring that are not done, in every state.
func (b *Backlog) Unfinished() int { return b.open }

// Bytes is the size of the unfinished records.
func (b *Backlog) Bytes() int { return b.bytes }

// Next is where the partition stands: the first unfinished record's offset, else the last one's plus one, or what was
// shed behind it; the wanted offset while a seek is awaited. It follows received order and never counts by one: transactions and
// compaction leave holes.
func (b *Backlog) Next() int64 {
	if b.length == 0 {
		return b.next
	}
	return b.at(0).offset
}

// Attempts made at the record at Next, for the committed metadata.
func (b *Backlog) Attempts() int {
	if b.length > 0 {
		if e := b.at(0); e.from != nil && e.from.again != nil {
			return e.from.again.Attempt
		}
	}
	if b.carry.offset == b.Next() {
		return b.carry.attempt
	}
	return 0
}
