package source

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// gather is how long the router waits for more partitions before it places the first: a lane that starts with one of
// them long-polls without the others.
const gather = time.Millisecond

// route is the router's goroutine: it finds the lane that serves a partition.
func (s *Source) route() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		if !s.pause(gather) {
			return
		}
		if again, ok := s.settle(time.Now()); ok {
			timer.Reset(time.Until(again))
		}
	}
}

// pause waits, unless the source stops.
func (s *Source) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// settle puts every orphan that is due on a lane. It answers when to come again, if at all.
//
// An orphan is due now, or its time is waited for. A look-up may take long, and what is measured by the clock before it
// for the one and by the clock after it for the other may be neither: an orphan whose time comes meanwhile.
func (s *Source) settle(now time.Time) (again time.Time, ok bool) {
	due := s.due(now)
	due = slices.DeleteFunc(due, func(p *partition) bool {
		who, known, err := s.leaders.known(p.claim.Topic, p.claim.Partition, p.stale)
		if !known || err != nil {
			return false
		}
		s.assign(p, who)
		return true
	})
	if len(due) > 0 {
		s.lookUp(due)
	}
	return s.nextTry(now)
}

// due takes the orphans whose time has come. Those that wait for a Seek are left alone.
func (s *Source) due(now time.Time) []*partition {
	s.mu.Lock()
	all := make([]*partition, 0, len(s.orphans))
	for p := range s.orphans {
		if !p.retryAt.After(now) {
			all = append(all, p)
		}
	}
	s.mu.Unlock()
	return slices.DeleteFunc(all, func(p *partition) bool {
		_, _, waiting := p.position()
		if waiting {
			s.leftOut(p)
		}
		return waiting
	})
}

// lookUp asks the cluster about the partitions' topics and places them.
func (s *Source) lookUp(due []*partition) {
	var topics []string
	for _, p := range due {
		if !slices.Contains(topics, p.claim.Topic) {
			topics = append(topics, p.claim.Topic)
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.options.RequestTimeout)
	defer cancel()
	asked := s.leaders.refresh(ctx, topics)
	for _, p := range due {
		who, known, err := s.leaders.known(p.claim.Topic, p.claim.Partition, p.stale)
		var code sarama.KError
		switch {
		case !known:
			s.orphan(nil, []*partition{p}, cmp.Or[error](asked, sarama.ErrLeaderNotAvailable))
		case err == nil:
			s.assign(p, who)
		case errors.As(err, &code) && judge(code) == giveUp:
			turn, next, _ := p.position()
			p.fail(turn, explain(p.claim.Topic, p.claim.Partition, next, err))
		default:
			s.orphan(nil, []*partition{p}, err)
		}
	}
}

// nextTry is when the next of the orphans is due that were not due at now.
func (s *Source) nextTry(now time.Time) (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.orphans {
		if p.retryAt.After(now) && (!ok || p.retryAt.Before(at)) {
			at, ok = p.retryAt, true
		}
	}
	return at, ok
}

// orphan takes partitions off a lane, or has the router keep them (nil), after an attempt that failed: the first time
// they are tried again at once, with a fresh look at the leaders, later after a pause.
func (s *Source) orphan(l *lane, ps []*partition, err error) {
	now := time.Now()
	s.mu.Lock()
	for _, p := range ps {
		if p.gone || p.lane != l {
			continue
		}
		if l != nil {
			l.remove(p)
		}
		s.orphans[p] = struct{}{}
		p.stale, p.retryAt = now, now.Add(delay(p.fails, s.options.Backoff))
		p.fails++
		s.worry(p, now, err)
	}
	s.mu.Unlock()
	s.options.Logger.Debug("partitions are looked for anew", "partitions", len(ps), "error", err)
	s.tell()
	poke(s.wake)
}

// delay before the next attempt, after so many that failed before this one.
func delay(failed int, backoff time.Duration) time.Duration {
	if failed == 0 {
		return 0
	}
	return min(backoff<<min(failed-1, 3), 5*backoff)
}

// laneKey says which connection serves a partition. A broker that comes back under another address is another lane.
type laneKey struct {
	id    int32
	addr  string
	index int
}

var seed = maphash.MakeSeed()

// assign puts a partition on its leader's lane.
func (s *Source) assign(p *partition, who leader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.orphans[p]; !ok || s.stopped {
		return
	}
	delete(s.orphans, p)
	spread := int(maphash.String(seed, p.claim.Topic)>>33) + int(p.claim.Partition) // neighbours on different connections
	key := laneKey{who.id, who.addr, spread % s.options.Connections}
	l := s.lanes[key]
	if l == nil {
		l = newLane(s, key)
		s.lanes[key] = l
		s.wg.Go(l.run)
	}
	p.epoch, p.troubled = who.epoch, p.fails > 0
	l.add(p)
	poke(l.kick)
}
