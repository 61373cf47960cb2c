package source

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Source fetches records for claims. It implements supervisor.Source. Its methods are safe for concurrent use,
// and none of them but Stop, Range and OffsetAt waits for a broker.
type Source struct {
	options Options
	leaders *leaders
	lists   *lists

	ctx    context.Context //nolint:containedctx // its end is the source's: what is in flight stops
	cancel context.CancelFunc
	wake   chan struct{} // the router
	wg     sync.WaitGroup

	requests atomic.Int64 // fetches, for the tests

	// mu is never held while a partition's lock is waited for or a sink is called: a backlog may wake the source
	// under its own lock, and the source asks the backlog for its room under the partition's.
	mu       sync.Mutex
	stopped  bool
	claims   map[uint64]*partition // by the claim's sequence number
	places   map[place]*partition
	orphans  map[*partition]struct{} // on no lane
	lanes    map[laneKey]*lane
	troubled map[string]int // by topic: partitions that a notice was told about
	notices  []error        // not told yet

	telling sync.Mutex // keeps the notices in order; taken before mu
}

var _ supervisor.Source = (*Source)(nil)

// place is what a fetch request names. It can name it once.
type place struct {
	topic     string
	partition int32
}

// New makes a source. It connects to nobody before the first Open.
func New(o Options) (*Source, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	if _, err := conn.NewDialer(linkConfig(&o, nil)); err != nil { // refuses a wrong configuration now rather than at each connection
		return nil, err
	}
	s := &Source{
		options: o, wake: make(chan struct{}, 1), leaders: newLeaders(o.Cluster),
		claims: map[uint64]*partition{}, places: map[place]*partition{}, orphans: map[*partition]struct{}{},
		lanes: map[laneKey]*lane{}, troubled: map[string]int{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.lists = newLists(s)
	s.wg.Go(s.route)
	s.wg.Go(s.watch)
	return s, nil
}

// Open implements supervisor.Source. A partition is fetched once: a claim that is still open on the same partition
// is closed, since the newer one says that it has ended. After Stop, Open does nothing.
func (s *Source) Open(claim messages.Claim, offset int64, seek uint64, sink actors.Sink) {
	p := &partition{claim: claim, sink: sink, seek: seek, next: offset}
	at := place{claim.Topic, claim.Partition}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return
	}
	old := s.places[at]
	if old != nil {
		s.detach(old)
	}
	s.claims[claim.Sequence], s.places[at], s.orphans[p] = p, p, struct{}{}
	s.mu.Unlock()
	if old != nil {
		old.close()
		s.tell()
	}
	poke(s.wake)
}

// Seek implements supervisor.Source. It also ends what Failed began.
func (s *Source) Seek(claim messages.Claim, offset int64, seek uint64) {
	p := s.find(claim)
	if p == nil {
		return
	}
	p.moveTo(offset, seek)
	s.rouse(p)
}

// Wake implements supervisor.Source. It may be called with the sink's own lock held.
func (s *Source) Wake(claim messages.Claim) {
	if p := s.find(claim); p != nil {
		s.rouse(p)
	}
}

// Close implements supervisor.Source. It waits for a delivery that is under way, not for a broker.
func (s *Source) Close(claim messages.Claim) {
	s.mu.Lock()
	p := s.claims[claim.Sequence]
	if p != nil {
		s.detach(p)
	}
	s.mu.Unlock()
	if p != nil {
		p.close()
		s.tell()
	}
}

// Stop implements supervisor.Source: requests in flight are cut.
func (s *Source) Stop() {
	s.cancel()
	s.mu.Lock()
	s.stopped = true
	for _, l := range s.lanes {
		l.cut()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *Source) find(claim messages.Claim) *partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claims[claim.Sequence]
}

// rouse makes whoever has the partition look at it again.
func (s *Source) rouse(p *partition) {
	s.mu.Lock()
	l := p.lane
	s.mu.Unlock()
	if l != nil {
		poke(l.kick)
	} else {
		poke(s.wake)
	}
}

// detach takes a partition out of everything. It needs mu.
func (s *Source) detach(p *partition) {
	delete(s.claims, p.claim.Sequence)
	delete(s.orphans, p)
	if at := (place{p.claim.Topic, p.claim.Partition}); s.places[at] == p {
		delete(s.places, at)
	}
	if p.lane != nil {
		p.lane.remove(p)
	}
	p.gone = true
	s.calm(p)
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
