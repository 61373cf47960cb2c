package middleware

import (
	"context"
	"fmt"
	"sync"

	"github.com/ottla-go/ottla/consumer"
)

// Dedup passes over a record whose key is that of one of the last n that were handled well: it is done without the handler.
// ok is false for a record that has no key; such a one is always handled.
//
// This makes duplicates fewer, and promises nothing. What was handled is known to this process only, and forgotten with it;
// two records of one key that are handled at the same time, in two partitions, are both handled; and what a store asks for
// again by messages.SeekTo is passed over, too, so that the two do not go together. Effects that must happen
// once need an [consumer.OffsetStore], or a unique key where they are written.
//
// n below 1 counts as 1. A key takes about 100 bytes and what it is long.
func Dedup(n int, key func(rec *consumer.Record) (k string, ok bool)) Middleware {
	w := newWindow(n)
	return func(next consumer.Handler) consumer.Handler {
		return func(ctx context.Context, rec *consumer.Record) error {
			k, ok := key(rec)
			if ok && w.has(k) {
				return nil
			}
			err := next(ctx, rec)
			if ok && err == nil {
				w.add(k)
			}
			return err
		}
	}
}

// ByKey tells records apart by topic and key. Null keys are none.
func ByKey(rec *consumer.Record) (string, bool) {
	return fmt.Sprintf("%s\x00%s", rec.Topic, rec.Key), rec.Key != nil
}

// ByHeader tells records apart by topic and the value of a header, an event's id for example.
func ByHeader(name string) func(rec *consumer.Record) (string, bool) {
	return func(rec *consumer.Record) (string, bool) {
		v, ok := rec.Header(name)
		return fmt.Sprintf("%s\x00%s", rec.Topic, v), ok
	}
}

// window is the last n keys that were added, each once. It is safe for concurrent use.
type window struct {
	mu   sync.Mutex
	keys map[string]struct{}
	ring []string // the oldest at next, once it is full
	next int
}

func newWindow(n int) *window {
	return &window{keys: map[string]struct{}{}, ring: make([]string, 0, max(n, 1))}
}

func (w *window) has(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.keys[key]
	return ok
}

func (w *window) add(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.keys[key]; ok { // two at the same time
		return
	}
	w.keys[key] = struct{}{}
	if len(w.ring) < cap(w.ring) {
		w.ring = append(w.ring, key)
		return
	}
	delete(w.keys, w.ring[w.next])
	w.ring[w.next] = key
	w.next = (w.next + 1) % len(w.ring)
}
