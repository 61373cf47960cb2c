package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/ottla-go/ottla/messages"
)

var (
	errNotNow   = errors.New("not now")
	errHopeless = errors.New("hopeless")
	errSomebody = errors.New("somebody has to look at it")
)

// hopeless: some records are never done; the policy skips them, and only them.
func (s schedule) hopeless(partition int32, offset int64) bool {
	return rand.New(rand.NewPCG(s.seed, uint64(partition)<<40^uint64(offset))).IntN(300) == 0
}

// longest is how long a handler may hang: beyond the rebalance timeout.
const longest = 90 * time.Second

// handle is the application: what it does with an attempt follows from the seed and the record.
func (p *process) handle(ctx context.Context, r *messages.Record) (answer error) {
	p.gate.pass()
	now, finished := p.begin(r), false
	answer = errNotNow // of a panic
	defer func() {
		p.gate.pass()
		p.world.ledger.end(now, r, finished, answers(answer), p.world.store != nil)
	}()
	random := rand.New(rand.NewPCG(p.world.seed, uint64(r.Partition)<<40^uint64(r.Offset)<<8^uint64(r.Attempt)))
	if p.world.hopeless(r.Partition, r.Offset) {
		finished = true // it may leave
		return errHopeless
	}
	work := func(most time.Duration) { <-time.After(time.Duration(random.Int64N(int64(most)))) }
	if p.world.away() {
		work(2 * time.Second) // it takes a while to find out
		return errOutage
	}
	switch n := random.IntN(1000); {
	case n < 700, p.world.peace.Load(): // at once
	case n < 900:
		work(50 * time.Millisecond)
	case n < 937:
		return errNotNow
	case n < 940 && r.Attempt < 3:
		return errSomebody
	case n < 960:
		panic("a bug")
	case n < 970:
		runtime.Goexit()
	case n < 980:
		work(20 * time.Second)
	case n < 990: // hangs until it is told to end, as a good one does
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(longest):
		}
	case n < 993: // hangs beyond that
		work(longest)
	default:
		work(time.Second)
	}
	if p.world.store != nil {
		if err := p.world.store.save(ctx, p, r); err != nil {
			return err
		}
	}
	finished = true
	return nil
}

// begin tells the ledger, with the fence of the store.
func (p *process) begin(r *messages.Record) *call {
	s := p.world.store
	if s == nil {
		return p.world.ledger.begin(p, r, 0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.world.ledger.begin(p, r, s.rows[r.Partition].fence)
}
