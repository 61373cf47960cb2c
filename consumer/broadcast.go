package consumer

import (
	"context"
	"sync"

	"github.com/ottla-go/ottla/messages"
)

// broadcast hands a consumer's events to whoever listens, from before Run until its end.
type broadcast struct {
	mu        sync.Mutex
	listeners map[*outlet]struct{}
	over      bool
}

// listen is a channel of the events from now on, closed with ctx or by end.
func (b *broadcast) listen(ctx context.Context, buffer int) <-chan messages.Event {
	o := newOutlet(buffer)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		o.end()
		return o.out
	}
	if b.listeners == nil {
		b.listeners = map[*outlet]struct{}{}
	}
	b.listeners[o] = struct{}{}
	context.AfterFunc(ctx, func() { b.drop(o) })
	return o.out
}

func (b *broadcast) drop(o *outlet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, there := b.listeners[o]; there {
		delete(b.listeners, o)
		o.end()
	}
}

// publish never waits: a listener whose buffer is full misses the event, and is told of it later.
func (b *broadcast) publish(e messages.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for o := range b.listeners {
		o.put(e)
	}
}

func (b *broadcast) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	for o := range b.listeners {
		delete(b.listeners, o)
		o.end()
	}
}
