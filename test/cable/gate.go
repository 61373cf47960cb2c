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

// pass waits until the gate is open; false: ctx ended first. held, which may be nil, is called before it begins to wait.
func (g *gate) pass(ctx context.Context, held func()) bool {
	for {
		g.mu.Lock()
		shut := g.shut
		g.mu.Unlock()
		if shut == nil {
			return ctx.Err() == nil
		}
		if held != nil {
			held()
			held = nil
		}
		select {
		case <-shut:
		case <-ctx.Done():
			return false
		}
	}
}
