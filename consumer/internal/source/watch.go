package source

import (
	"context"
	"sync"
)

// watch is a goroutine's. A partition that is paused for long is not fetched, and its log grows all the same: what that
// makes of its lag is what somebody who looks at a parked partition wants to know.
func (s *Source) watch() {
	for s.pause(s.options.watchEvery) {
		s.lookAtPaused()
	}
}

// lookAtPaused tells the sinks of paused partitions how far their logs have grown. Those of one broker are asked for in
// few requests. What cannot be told now is told another time.
func (s *Source) lookAtPaused() {
	s.mu.Lock()
	all := make([]*partition, 0, len(s.claims))
	for _, p := range s.claims {
		all = append(all, p)
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, s.options.RequestTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range all {
		turn, paused := p.paused()
		if !paused {
			continue
		}
		wg.Go(func() {
			if end, err := s.HighWater(ctx, p.claim.Topic, p.claim.Partition); err == nil {
				p.grown(turn, end)
			}
		})
	}
	wg.Wait()
}

// paused says whether the sink wants nothing for long.
func (p *partition) paused() (turn uint64, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turn, !p.closed && !p.failed && p.sink.Room() < 0
}

// grown tells the sink of a higher high-water mark, unless the partition has been moved or was fetched meanwhile. A lower
// one would be older than what a fetch has told, or that of another log, which is found when it is fetched again.
func (p *partition) grown(turn uint64, highWater int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.failed || p.turn != turn || highWater <= p.extent.HighWater {
		return
	}
	p.extent.Next, p.extent.HighWater = p.next, highWater
	p.sink.Deliver(p.seek, noRecords{}, p.extent)
}
