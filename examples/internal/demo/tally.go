package demo

import (
	"fmt"
	"sync"

	"github.com/ottla-go/ottla/messages"
)

// Tally counts what handlers really finished. It is safe for concurrent use.
type Tally struct {
	mu         sync.Mutex
	seen       map[place]int
	furthest   map[int32]int64
	outOfOrder int
	retries    int
	restarts   int
	rebalances int
	changed    chan struct{}
}

type place struct {
	partition int32
	offset    int64
}

// NewTally has seen nothing.
func NewTally() *Tally {
	return &Tally{seen: map[place]int{}, furthest: map[int32]int64{}, changed: make(chan struct{})}
}

// Finished is called at the end of each handler that succeeds.
func (t *Tally) Finished(r *messages.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := place{r.Partition, r.Offset}
	t.seen[p]++
	last, begun := t.furthest[r.Partition]
	if t.seen[p] == 1 && begun && r.Offset < last {
		t.outOfOrder++ // its first time, and a later one was before it
	}
	t.furthest[r.Partition] = max(last, r.Offset)
	close(t.changed)
	t.changed = make(chan struct{})
}

// Decided is called for each failure and what was decided about it.
func (t *Tally) Decided(d messages.Decision) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch d.Action {
	case messages.ActionRetry:
		t.retries++
	case messages.ActionRestart:
		t.restarts++
	case messages.ActionSkip, messages.ActionPark, messages.ActionEscalate:
	}
}

// Rebalanced is called with the newest generation of the group.
func (t *Tally) Rebalanced(generation int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rebalances = max(t.rebalances, int(generation))
}

// Processed is how many different records were finished, and a channel that is closed at the next one.
func (t *Tally) Processed() (int, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.seen), t.changed
}

// Summary is the last line of a program, and whether nothing was lost or out of order.
func (t *Tally) Summary(produced int) (line string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	duplicates := 0
	for _, n := range t.seen {
		duplicates += n - 1
	}
	lost := produced - len(t.seen)
	return fmt.Sprintf("summary: produced=%d processed=%d lost=%d out_of_order=%d duplicates=%d retries=%d restarts=%d rebalances=%d",
		produced, len(t.seen), lost, t.outOfOrder, duplicates, t.retries, t.restarts, t.rebalances), lost == 0 && t.outOfOrder == 0
}
