package consumertest

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// source serves claims from the script's logs. Like the real one it has a goroutine of its own, holds its lock while
// it delivers, asks for no more than a sink has room for, and is silent for a claim once Close has returned.
type source struct {
	k    *Kit
	poke chan struct{} // there may be something to deliver
	quit chan struct{}
	gone chan struct{}

	mu      sync.Mutex
	feeds   map[uint64]*feed
	stopped bool
}

var _ supervisor.Source = (*source)(nil)

// feed is one claim at the source.
type feed struct {
	claim messages.Claim
	log   *partitionLog
	sink  actors.Sink
	next  int64
	seek  uint64
	ended bool          // Failed was told: silent until the next seek
	told  actors.Extent // the last one that was delivered for this seek
	any   bool          // something was
}

func newSource(k *Kit) *source {
	s := &source{
		k: k, poke: make(chan struct{}, 1), quit: make(chan struct{}), gone: make(chan struct{}),
		feeds: map[uint64]*feed{},
	}
	go s.run()
	return s
}

func (s *source) run() {
	defer close(s.gone)
	for {
		select {
		case <-s.quit:
			return
		case <-s.poke:
			s.serve()
		}
	}
}

// wake has the goroutine look at all claims.
func (s *source) wake() {
	select {
	case s.poke <- struct{}{}:
	default: // it will look anyway
	}
}

func (s *source) serve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range slices.SortedFunc(maps.Values(s.feeds), func(a, b *feed) int { return cmp.Compare(a.claim.Sequence, b.claim.Sequence) }) {
		for f.fetch() {
		}
	}
}

// fetchBytes is what one fetch asks for at most; see consumer.Fetch.PartitionBytes.
const fetchBytes = 1 << 20

// fetch delivers once. It answers whether there may be more.
func (f *feed) fetch() bool {
	room := f.sink.Room()
	switch {
	case f.ended, room == 0:
		return false
	case room < 0:
		f.look()
		return false
	}
	got, extent, err := f.log.read(f.next, min(room, fetchBytes))
	if err != nil {
		f.ended = true
		f.sink.Failed(f.seek, err)
		return false
	}
	if len(got) == 0 && f.any && extent == f.told {
		return false
	}
	f.next, f.told, f.any = extent.Next, extent, true
	f.sink.Deliver(f.seek, got, extent)
	return len(got) > 0
}

// look tells a sink that is paused for long how far the log has grown.
func (f *feed) look() {
	if _, end := f.log.span(); end > f.told.HighWater {
		f.told.Next, f.told.HighWater, f.told.LastStable = f.next, end, end
		f.sink.Deliver(f.seek, batch(nil), f.told)
	}
}

// Open implements supervisor.Source.
func (s *source) Open(claim messages.Claim, offset int64, seek uint64, sink actors.Sink) {
	s.k.opened(claim, sink)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		s.k.fault("Source.Open(%v) after Stop", claim)
		return
	case s.feeds[claim.Sequence] != nil:
		s.k.fault("Source.Open(%v) a second time", claim)
	}
	s.feeds[claim.Sequence] = &feed{claim: claim, log: s.k.log(placeOf(claim)), sink: sink, next: offset, seek: seek}
	s.wake()
}

// Seek implements supervisor.Source. A claim that has been closed meanwhile is no fault: the handler that seeks runs
// beside the supervisor.
func (s *source) Seek(claim messages.Claim, offset int64, seek uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feeds[claim.Sequence]
	if f == nil || seek <= f.seek { // an older one that was overtaken on its way
		return
	}
	f.next, f.seek, f.ended, f.any = offset, seek, false, false
	s.wake()
}

// Wake implements supervisor.Source.
func (s *source) Wake(messages.Claim) { s.wake() }

// Close implements supervisor.Source.
func (s *source) Close(claim messages.Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feeds[claim.Sequence] == nil && !s.stopped {
		s.k.fault("Source.Close(%v), which is not open", claim)
	}
	delete(s.feeds, claim.Sequence)
}

// Stop implements supervisor.Source.
func (s *source) Stop() {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		clear(s.feeds)
		close(s.quit)
	}
	s.mu.Unlock()
	<-s.gone
}
