package main

import (
	"context"
	"sync"

	"github.com/ottla-go/ottla/examples/internal/demo"
	"github.com/ottla-go/ottla/messages"
)

// book is what the application keeps: each order once, whatever comes twice. It is safe for concurrent use; its fields are
// to be read in await, or when no consumer runs.
type book struct {
	mu      sync.Mutex
	entered map[int]int64 // cents by the order's number
	givenUp int
	changed chan struct{}
}

func newBook() *book { return &book{entered: map[int]int64{}, changed: make(chan struct{})} }

func (b *book) enter(o demo.Order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entered[o.Number] = o.Cents
	b.tell()
}

// see counts what the consumer gives up.
func (b *book) see(e messages.Event) {
	if _, ok := e.(*messages.DeadLettered); ok {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.givenUp++
		b.tell()
	}
}

func (b *book) tell() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// await waits until a state is reached, or ctx ends.
func (b *book) await(ctx context.Context, reached func() bool) {
	for {
		b.mu.Lock()
		is, changed := reached(), b.changed
		b.mu.Unlock()
		if is {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
