package simulation

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// reader is the source of one process: it reads from the shelf while the cable is whole.
type reader struct {
	shelf *shelf
	cable *cable
	poke  chan struct{}
	quit  chan struct{}
	gone  chan struct{}

	mu      sync.Mutex
	feeds   map[uint64]*feed
	stopped bool
}

var _ supervisor.Source = (*reader)(nil)

type feed struct {
	claim messages.Claim
	sink  actors.Sink
	next  int64
	seek  uint64
	told  actors.Extent
	any   bool
}

func newReader(s *shelf, c *cable) *reader {
	r := &reader{shelf: s, cable: c, poke: make(chan struct{}, 1), quit: make(chan struct{}), gone: make(chan struct{}), feeds: map[uint64]*feed{}}
	c.onRepair = r.wake
	s.mu.Lock()
	s.readers[r] = struct{}{}
	s.mu.Unlock()
	go r.run()
	return r
}

func (r *reader) wake() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

func (r *reader) run() {
	defer close(r.gone)
	for {
		select {
		case <-r.quit:
			return
		case <-r.poke:
			r.serve()
		}
	}
}

func (r *reader) serve() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.cable.whole() || r.cable.gate.paused() {
		return
	}
	for _, f := range slices.SortedFunc(maps.Values(r.feeds), func(a, b *feed) int { return cmp.Compare(a.claim.Sequence, b.claim.Sequence) }) {
		for f.fetch(r.shelf) {
		}
	}
}

// fetch brings a few records: a fetch's end falls anywhere.
func (f *feed) fetch(s *shelf) bool {
	room := f.sink.Room() / recordSize
	if room <= 0 {
		return false
	}
	got, x := s.read(f.claim.Partition, f.next, min(room, 1+int(f.next%7)))
	if got.Len() == 0 && f.any && x == f.told {
		return false
	}
	f.next, f.told, f.any = x.Next, x, true
	f.sink.Deliver(f.seek, got, x)
	return got.Len() > 0
}

// Open implements supervisor.Source.
func (r *reader) Open(claim messages.Claim, offset int64, seek uint64, sink actors.Sink) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped {
		r.feeds[claim.Sequence] = &feed{claim: claim, sink: sink, next: offset, seek: seek}
		r.wake()
	}
}

// Seek implements supervisor.Source.
func (r *reader) Seek(claim messages.Claim, offset int64, seek uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.feeds[claim.Sequence]; f != nil && seek > f.seek {
		f.next, f.seek, f.any = offset, seek, false
		r.wake()
	}
}

// Wake implements supervisor.Source.
func (r *reader) Wake(messages.Claim) { r.wake() }

// Close implements supervisor.Source.
func (r *reader) Close(claim messages.Claim) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.feeds, claim.Sequence)
}

// Stop implements supervisor.Source.
func (r *reader) Stop() {
	r.mu.Lock()
	if !r.stopped {
		r.stopped = true
		clear(r.feeds)
		close(r.quit)
	}
	r.mu.Unlock()
	r.shelf.mu.Lock()
	delete(r.shelf.readers, r)
	r.shelf.mu.Unlock()
	<-r.gone
}
