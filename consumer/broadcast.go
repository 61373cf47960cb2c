package consumer

import (
	"context"
	"sync"

	"github.com/ottla-go/ottla/messages"
)

// broadcast hands a consumer's events to whoever listens, from before Run until its end.
type broadcast struct {
	mu        sync.Mutex
	listeners map[chan messages.Event]struct{}
	over      bool
}

// listen is a channel of the events from now on, closed with ctx or by end.
func (b *broadcast) listen(ctx context.Context, buffer int) <-chan messages.Event {
	out := make(chan messages.Event, max(buffer, 1))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		close(out)
		return out
	}
	if b.listeners == nil {
		b.listeners = map[chan messages.Event]struct{}{}
	}
	b.listeners[out] = struct{}{}
	context.AfterFunc(ctx, func() { b.drop(out) })
	return out
}

func (b *broadcast) drop(out chan messages.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, there := b.listeners[out]; there {
		delete(b.listeners, out)
		close(out)
	}
}

// publish never waits: a listener whose buffer is full misses the event.
func (b *broadcast) publish(e messages.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for out := range b.listeners {
		select {
		case out <- e:
		default:
		}
	}
}

func (b *broadcast) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	for out := range b.listeners {
		delete(b.listeners, out)
		close(out)
	}
}
