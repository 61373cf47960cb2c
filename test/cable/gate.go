package cable

import (
	"context"
	"sync"
)

// gate is one direction of a cable. Its zero value is open.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed when the gate opens; nil while it is open
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case open && g.shut != nil:
		close(g.shut)
		g.shut = nil
	case !open && g.shut == nil:
		g.shut = make(chan struct{})
	}
}

// pass waits until the gate is open; not ok: ctx ended first.
func (g *gate) pass(ctx context.Context) (waited, ok bool) {
	for {
		g.mu.Lock()
		shut := g.shut
		g.mu.Unlock()
		if shut == nil {
			return waited, ctx.Err() == nil
		}
		waited = true
		select {
		case <-shut:
		case <-ctx.Done():
			return waited, false
		}
	}
}
