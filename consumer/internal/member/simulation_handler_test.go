package member

import (
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// whim is what a handler does.
type whim struct {
	takes    time.Duration
	fails    bool
	heedless bool // it goes on when its context has ended
	parks    bool // its failure waits for somebody
}

// flight is one attempt.
type flight struct {
	offset int64
	whim   whim
	again  *messages.Record // the next attempt
	end    *appointment
}

// whim of the next handler: the script's, or that of every day.
func (k *tenure) whim(offset int64, attempt int) whim {
	p := k.p
	if len(p.whims) > 0 {
		w := p.whims[0]
		p.whims = p.whims[1:]
		return w
	}
	r := p.s.dice(uint64(2+attempt<<8)|uint64(k.partition)<<32, uint64(offset))
	return whim{takes: time.Duration(r.IntN(8000)) * time.Microsecond, fails: attempt < 3 && r.IntN(20) == 0, parks: r.IntN(4) == 0}
}

// pump is the mailbox: it begins the record that is due.
func (k *tenure) pump() {
	if k.flight != nil || k.leaving || k.gone || k.awaits > 0 {
		return
	}
	t, ok := k.backlog.Take()
	if !ok {
		return
	}
	f := &flight{offset: t.Offset, whim: k.whim(t.Offset, t.Attempt)}
	f.again = t.Record().Redeliver()
	k.flight = f
	k.p.s.ledger.begins(k, t.Offset, t.Attempt)
	f.end = k.p.after(f.whim.takes, func() { k.returns(f) })
}

// heed: the context has ended.
func (k *tenure) heed() {
	if f := k.flight; f != nil && !f.whim.heedless {
		f.end.cancel()
		f.whim.fails = true
		f.end = k.p.after(k.p.jitter(), func() { k.returns(f) })
	}
}

// returns: a handler has come back.
func (k *tenure) returns(f *flight) {
	p := k.p
	k.flight = nil
	p.s.ledger.ends(k, f.offset, !f.whim.fails)
	switch {
	case k.abandoned || k.gone:
		return
	case k.lost:
		p.desk(func() { p.letGo(k) })
		return
	case !f.whim.fails && !k.p.s.stored:
		k.backlog.Finish(f.offset)
	case !f.whim.fails && k.settle(f):
	case k.cancelled:
		k.backlog.Fail(f.offset, nil) // not a failure
	default:
		k.backlog.Fail(f.offset, f.again)
		if !k.leaving {
			k.wait(f)
		}
	}
	if _, due := k.backlog.Peek(); !p.s.stored {
		p.commits.say(k, k.progress(), !due)
	}
	if k.leaving {
		p.desk(func() { p.flush(k) })
		return
	}
	k.fetch()
	k.pump()
}

// wait holds the head back, for a while or until an operator has looked.
func (k *tenure) wait(f *flight) {
	if f.whim.parks {
		k.park("somebody has to look at it")
		return
	}
	d := 50 * time.Millisecond << f.again.Attempt
	k.backlog.Hold(k.p.s.date().Add(d))
	k.release(d)
}

// park waits for an operator, who comes by after a while.
func (k *tenure) park(reason string) {
	k.backlog.Park(reason, messages.ClassHandler)
	k.parked = true
	k.release(7 * time.Second)
}

func (k *tenure) release(after time.Duration) {
	seek := k.seek
	k.p.after(after, func() {
		if !k.leaving && k.seek == seek && k.backlog.Gate().Kind != actors.Open {
			k.backlog.Release()
			k.parked = false
			if !k.p.s.stored {
				k.p.commits.say(k, k.progress(), false) // it is not parked any more
			}
			k.pump()
		}
	})
}

// progress is what a commit says.
func (k *tenure) progress() actors.Progress {
	p := actors.Progress{Next: k.backlog.Next(), Attempt: k.backlog.Attempts()}
	if g := k.backlog.Gate(); g.Kind == actors.Parked && g.Stays {
		p.Parked, p.Reason = true, g.Reason
	}
	return p
}

// roomFor is how many records a backlog takes before its source pauses, and how many a fetch brings: it overshoots.
const (
	roomFor   = 12
	fetchSize = 5
)

// fetch is the source: it brings what the log has, while there is room.
func (k *tenure) fetch() {
	if !k.open || k.fetching || k.backlog.Unfinished() >= roomFor || k.p.s.shelf.end(k.partition) <= k.position {
		return
	}
	k.fetching = true
	seek, position := k.seek, k.position
	p, d := k.p, k.p.jitter()
	if p.deaf || p.mute {
		d += 500 * time.Millisecond
	}
	p.after(d, func() {
		k.fetching = false
		if !k.open { // nothing is delivered after a close
			return
		}
		if !p.deaf && !p.mute {
			if b := p.s.shelf.from(k.partition, position, fetchSize); len(b) > 0 {
				if k.seek == seek {
					k.position = b[len(b)-1] + 1
				}
				k.backlog.Append(seek, b)
				k.pump()
			}
		}
		k.fetch()
	})
}

// shelf is the log.
type shelf struct {
	offsets []bundle
	next    []int64
}

// bundle is a batch of records that are their offsets.
type bundle []int64

func (b bundle) Len() int                       { return len(b) }
func (b bundle) Offset(i int) int64             { return b[i] }
func (b bundle) Size(int) int                   { return 1 }
func (b bundle) Read(i int, r *messages.Record) { r.Offset = b[i] }

func newShelf(partitions int) *shelf {
	return &shelf{make([]bundle, partitions), make([]int64, partitions)}
}

// write appends records behind a hole, as transactions and compaction leave them.
func (s *sim) write(partition int32, n int, hole int64) {
	l := s.shelf
	l.next[partition] += hole
	for range n {
		l.offsets[partition] = append(l.offsets[partition], l.next[partition])
		l.next[partition]++
	}
	for _, p := range s.inOrder() {
		if k := p.current[partition]; k != nil && !p.dead {
			k.fetch()
		}
	}
}

func (l *shelf) end(partition int32) int64 { return l.next[partition] }

func (l *shelf) from(partition int32, offset int64, n int) bundle {
	all := l.offsets[partition]
	i := 0
	for i < len(all) && all[i] < offset {
		i++
	}
	return all[i:min(i+n, len(all)):len(all)]
}
