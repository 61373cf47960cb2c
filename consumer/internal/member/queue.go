package member

import "sync"

// queue holds what is on its way to the loop. It has no bound: whoever puts something in (a supervisor, perhaps
// from within the loop itself) must not wait, and there is at most one answer per request and one release per
// claim.
type queue struct {
	mu    sync.Mutex
	items []any
	ready chan struct{} // has an element when there may be items
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) put(x any) {
	q.mu.Lock()
	q.items = append(q.items, x)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (q *queue) take() []any {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.items
	q.items = nil
	return all
}
