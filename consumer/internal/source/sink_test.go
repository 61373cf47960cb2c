package source

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/actors"
)

type (
	kgoRecord = kgo.Record
	kgoHeader = kgo.RecordHeader
)

// sink checks every delivery: it belongs to the seek of now, goes on where the last one ended, or begins where the
// seek said, and has no hole (the logs of these tests have none). It keeps nothing.
//
// The caller of Seek cannot say when exactly the new position counts: while Seek is under way, both may come. So a
// test says what it expects right after Seek has returned, and until then a new seek number is believed.
type sink struct {
	room atomic.Int64

	mu       sync.Mutex
	seek     uint64
	next     int64 // -1: not known yet
	returned uint64
	ended    bool
	count    int
	last     actors.Extent
	heard    bool
	err      error
	errs     []error
}

func newSink(room int) *sink {
	k := &sink{next: -1}
	k.room.Store(int64(room))
	return k
}

func (k *sink) Room() int { return int(k.room.Load()) }

func (k *sink) Failed(seek uint64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.errs = append(k.errs, fmt.Errorf("seek %d: %w", seek, err))
}

func (k *sink) Deliver(seek uint64, b actors.Batch, x actors.Extent) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.ended:
		k.wrongf("a delivery after the end")
	case seek < k.returned || seek < k.seek:
		k.wrongf("a delivery of seek %d after seek %d", seek, max(k.seek, k.returned))
	case seek > k.seek:
		k.seek, k.next, k.count = seek, -1, 0
	}
	for i := range b.Len() {
		o := b.Offset(i)
		if k.next >= 0 && o != k.next {
			k.wrongf("record %d came where %d was due", o, k.next)
		}
		k.next = o + 1
		k.count++
	}
	if k.next >= 0 && x.Next != k.next {
		k.wrongf("the extent ends at %d, the records at %d", x.Next, k.next)
	}
	k.last, k.heard = x, true
}

// expect says that Seek has returned. What has come of it by now must have begun at to, and what comes later.
func (k *sink) expect(seek uint64, to int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.returned = seek
	if k.seek != seek {
		k.seek, k.next, k.count = seek, to, 0
	} else if k.count > 0 && k.next-int64(k.count) != to {
		k.wrongf("seek %d began at %d, not at %d", seek, k.next-int64(k.count), to)
	}
}

// end says that Close has returned.
func (k *sink) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
}

func (k *sink) wrongf(format string, args ...any) {
	if k.err == nil {
		k.err = fmt.Errorf(format, args...)
	}
}

func (k *sink) fault() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

func (k *sink) records() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count
}

func (k *sink) extent() actors.Extent {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// told says that an extent was delivered.
func (k *sink) told() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.heard
}

// scale is a sink with the same room always, which it wants to be kept: it notes its largest delivery.
type scale struct {
	room int

	mu      sync.Mutex
	free    int // deliveries that do not count
	largest int
	count   int
}

func (k *scale) Room() int { return k.room }

func (k *scale) Failed(uint64, error) {}

func (k *scale) Deliver(_ uint64, b actors.Batch, _ actors.Extent) {
	size := 0
	for i := range b.Len() {
		size += b.Size(i)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.count += b.Len()
	if b.Len() == 0 {
		return
	}
	if k.free--; k.free < 0 {
		k.largest = max(k.largest, size)
	}
}

func (k *scale) records() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count
}

func (k *scale) most() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.largest
}
