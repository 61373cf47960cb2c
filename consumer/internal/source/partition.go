package source

import (
	"sync"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// partition is one claim's partition while it is fetched.
//
// It has three owners. Its position belongs to mu. Where it is fetched belongs to Source.mu. What a lane learns of it
// belongs to the goroutine of the lane it is on; it changes lanes under Source.mu, through the router.
type partition struct {
	claim messages.Claim
	sink  actors.Sink

	// mu is held while the sink is called: once moveTo or close has returned, nothing older comes.
	mu     sync.Mutex
	turn   uint64 // counts moveTo: what was asked for in an earlier turn is dropped
	seek   uint64 // the caller's number of it
	next   int64  // the offset to ask for
	failed bool   // the sink was told; it waits for a moveTo
	closed bool
	told   bool          // extent has been delivered in this turn
	extent actors.Extent // as delivered last

	// Source.mu
	lane    *lane // nil: an orphan
	gone    bool  // detached
	epoch   int32 // of the leader, for the broker to check
	stale   time.Time
	fails   int // in a row
	retryAt time.Time
	since   time.Time // of the first of them since it was left out last
	noticed bool

	// the lane's goroutine
	appetite  appetite
	seclusion seclusion
	heldAt    time.Time // since when it has been full
	troubled  bool      // it has failed, and has not been read since
}

// wish is what a partition wants at a moment.
type wish struct {
	turn uint64
	from int64
	room int // as actors.Sink.Room has it; negative too when it failed or is closed
}

func (p *partition) wish() wish {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.failed {
		return wish{room: -1}
	}
	return wish{turn: p.turn, from: p.next, room: p.sink.Room()}
}

// moveTo seeks. An older seek never undoes a newer one: a handler's SeekTo draws number 2, then the supervisor, which
// acquires the partition again, draws 3 and is here first; the backlog takes nothing any more that 2 fetches.
func (p *partition) moveTo(offset int64, seek uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seek < p.seek {
		return
	}
	p.turn++
	p.seek, p.next, p.failed, p.told = seek, offset, false, false
}

func (p *partition) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// deliver hands over what was asked for in this turn. An empty batch is delivered only when the extent is news.
func (p *partition) deliver(turn uint64, b actors.Batch, x actors.Extent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.turn != turn {
		return
	}
	p.next = x.Next
	if b.Len() == 0 && p.told && p.extent == x {
		return
	}
	p.told, p.extent = true, x
	p.sink.Deliver(p.seek, b, x)
}

// fail tells the sink, and stops asking until the next moveTo.
func (p *partition) fail(turn uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.turn != turn {
		return
	}
	p.failed = true
	p.sink.Failed(p.seek, err)
}

// position is the turn of now and the offset that it asks for.
func (p *partition) position() (turn uint64, next int64, waiting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turn, p.next, p.closed || p.failed
}
