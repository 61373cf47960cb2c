package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

var (
	errNotNow   = errors.New("not now")
	errHopeless = errors.New("hopeless")
	errSomebody = errors.New(parkReason)
)

// nature is a record's own: some are hopeless, never done, so that the policy, or the handler, says what becomes of them; some are
// stubborn, and fail a few times in a row, in the same way, for budgets to be spent.
func (s schedule) nature(partition int32, offset int64) (hopeless bool, stubborn, how int) {
	r := rand.New(rand.NewPCG(s.seed, uint64(partition)<<40^uint64(offset)))
	if r.IntN(300) == 0 {
		return true, 0, 0
	}
	if r.IntN(90) == 0 {
		return false, 1 + r.IntN(7), r.IntN(4)
	}
	return false, 0, 0
}

// longest is how long a handler may hang: beyond the rebalance timeout.
const longest = 90 * time.Second

// handle is the application, under the ledger's eyes.
func (p *process) handle(ctx context.Context, r *messages.Record) (answer error) {
	p.gate.pass()
	now, panicked := p.begin(r), true
	defer func() {
		p.gate.pass()
		p.world.ledger.end(now, panicked, answer)
	}()
	answer = p.work(ctx, r)
	panicked = false
	return answer
}

// work is what the application does with an attempt: it follows from the seed and the record.
func (p *process) work(ctx context.Context, r *messages.Record) error {
	w := p.world
	random := rand.New(rand.NewPCG(w.seed, uint64(r.Partition)<<40^uint64(r.Offset)<<8^uint64(r.Attempt)))
	hopeless, stubborn, how := w.nature(r.Partition, r.Offset)
	if hopeless {
		if w.directed != nil {
			return supervisor.Directed(errHopeless, directives(w.directed)...)
		}
		return errHopeless
	}
	takes := func(most time.Duration) { <-time.After(time.Duration(random.Int64N(int64(most)))) }
	if w.away() {
		takes(2 * time.Second) // it takes a while to find out
		return errOutage
	}
	if r.Attempt < stubborn && !w.peace.Load() {
		switch how {
		case 0:
			panic("a bug")
		case 1:
			runtime.Goexit()
		default:
			return errNotNow
		}
	}
	if w.slowly.Load() {
		takes(5 * time.Second)
	}
	switch n := random.IntN(1000); {
	case n < 700, w.peace.Load(): // at once
	case n < 900:
		takes(50 * time.Millisecond)
	case n < 937:
		return errNotNow
	case n < 940 && r.Attempt < 3:
		return errSomebody
	case n < 960:
		panic("a bug")
	case n < 970:
		runtime.Goexit()
	case n < 980:
		takes(20 * time.Second)
	case n < 990: // hangs until it is told to end, as a good one does
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(longest):
		}
	case n < 993: // hangs beyond that
		takes(longest)
	default:
		takes(time.Second)
	}
	if w.store != nil {
		return w.store.save(ctx, p, r)
	}
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
