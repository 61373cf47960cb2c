package deadletters

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/source"
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
	end     int64 // of the log, as it was then
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
	t.fetched, t.next, t.end = append(t.fetched, b), x.Next, x.HighWater
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

// take waits for more, and answers it with the offset behind it, and the end of the log.
func (t *tail) take(ctx context.Context) (all []actors.Batch, next, end int64, err error) {
	select {
	case <-t.more:
	case <-ctx.Done():
		return nil, 0, 0, context.Cause(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	all, next, end, err = t.fetched, t.next, t.end, t.err
	t.fetched, t.size = nil, 0
	if len(all) > 0 && err != nil {
		t.tell() // what came before the failure comes first
		err = nil
	}
	return all, next, end, err
}

func size(b actors.Batch) (n int) {
	for i := range b.Len() {
		n += b.Size(i)
	}
	return n
}

// errShorter says that the log is not the one whose end was asked for: its topic was made again, or a broker has lost some of it.
var errShorter = errors.New("the log has become shorter while it was read")

// scan visits the records of a partition from one offset up to another one, in order. What retention removes meanwhile is
// passed over.
func scan(ctx context.Context, src *source.Source, topic string, partition int32, from, end int64, visit func(*messages.Record) error) error {
	claim := messages.Claim{Topic: topic, Partition: partition, Sequence: 1}
	t := &tail{more: make(chan struct{}, 1), seek: 1, next: from, end: end}
	src.Open(claim, from, t.seek, t)
	defer src.Close(claim)
	for at := from; at < end; src.Wake(claim) {
		batches, next, logEnd, err := t.take(ctx)
		var gone *supervisor.OutOfRangeError
		switch {
		case errors.As(err, &gone):
			start, _, err := src.Range(ctx, topic, partition)
			if err != nil {
				return err
			}
			if start <= at {
				return fmt.Errorf("ottla: %s/%d: %w: %w", topic, partition, errShorter, gone)
			}
			at = start
			src.Seek(claim, at, t.anew(at))
			continue
		case err != nil:
			return fmt.Errorf("ottla: %s/%d from offset %d: %w", topic, partition, at, err)
		case logEnd < end:
			return fmt.Errorf("ottla: %s/%d: %w: it ends at %d, and ended at %d before", topic, partition, errShorter, logEnd, end)
		}
		for _, b := range batches {
			for i := 0; i < b.Len() && b.Offset(i) < end; i++ {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
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
	t.fetched, t.size, t.next, t.err = nil, 0, at, nil // the end stays: that is the log's
	return t.seek
}
