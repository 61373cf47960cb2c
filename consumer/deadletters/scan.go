package deadletters

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// window bounds what has been fetched and is not looked at yet, in bytes.
const window = 8 << 20

// tail takes what the source fetches of one partition, and hands it on.
type tail struct {
	more chan struct{} // holds one token: there is something to take

	mu      sync.Mutex
	seek    uint64
	fetched []actors.Batch
	size    int
	next    int64 // the offset behind what was fetched
	err     error
}

// Room implements actors.Sink.
func (t *tail) Room() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, window-t.size)
}

// Deliver implements actors.Sink.
func (t *tail) Deliver(seek uint64, b actors.Batch, x actors.Extent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seek != t.seek {
		return
	}
	t.fetched, t.next = append(t.fetched, b), x.Next
	t.size += size(b)
	t.tell()
}

// Failed implements actors.Sink.
func (t *tail) Failed(seek uint64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seek == t.seek {
		t.err = err
		t.tell()
	}
}

func (t *tail) tell() {
	select {
	case t.more <- struct{}{}:
	default:
	}
}

// take waits for more, and answers it with the offset behind it.
func (t *tail) take(ctx context.Context) ([]actors.Batch, int64, error) {
	select {
	case <-t.more:
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	all, next, err := t.fetched, t.next, t.err
	t.fetched, t.size = nil, 0
	if len(all) > 0 && err != nil {
		t.tell() // what came before the failure comes first
		return all, next, nil
	}
	return all, next, err
}

func size(b actors.Batch) (n int) {
	for i := range b.Len() {
		n += b.Size(i)
	}
	return n
}

// scan visits the records of a partition from one offset up to another one, in order. What retention removes meanwhile is
// passed over.
func (c *Client) scan(ctx context.Context, topic string, partition int32, from, end int64, visit func(*messages.Record) error) error {
	claim := messages.Claim{Topic: topic, Partition: partition, Sequence: c.claims.Add(1)}
	t := &tail{more: make(chan struct{}, 1), seek: 1, next: from}
	c.source.Open(claim, from, t.seek, t)
	defer c.source.Close(claim)
	for at := from; at < end; c.source.Wake(claim) {
		batches, next, err := t.take(ctx)
		var gone *supervisor.OutOfRangeError
		switch {
		case errors.As(err, &gone):
			start, _, err := c.source.Range(ctx, topic, partition)
			if err != nil {
				return err
			}
			if start <= at { // the log is shorter than it was: another one has taken its place
				return fmt.Errorf("ottla: %s/%d: %w", topic, partition, gone)
			}
			at = start
			c.source.Seek(claim, at, t.anew(at))
			continue
		case err != nil:
			return fmt.Errorf("ottla: %s/%d from offset %d: %w", topic, partition, at, err)
		}
		for _, b := range batches {
			for i := 0; i < b.Len() && b.Offset(i) < end; i++ {
				r := &messages.Record{}
				b.Read(i, r)
				if err := visit(r); err != nil {
					return err
				}
			}
		}
		at = next
	}
	return nil
}

// anew begins another seek.
func (t *tail) anew(at int64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seek++
	t.fetched, t.size, t.next, t.err = nil, 0, at, nil
	return t.seek
}
