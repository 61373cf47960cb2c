package consumertest

import (
	"fmt"
	"sync"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// place is a partition of the script's cluster.
type place struct {
	topic     string
	partition int32
}

func placeOf(c messages.Claim) place { return place{c.Topic, c.Partition} }

func (at place) String() string { return fmt.Sprintf("%s/%d", at.topic, at.partition) }

// partitionLog is the broker's side of one partition: its log and what was committed. It outlives claims, and
// incarnations of the consumer. Its methods are safe for concurrent use.
type partitionLog struct {
	place

	mu        sync.Mutex
	records   []*messages.Record // ascending offsets, with holes
	start     int64              // what retention has left
	end       int64              // the next record's offset
	broken    error              // nothing can be read
	corrupt   map[int64]error    // what cannot be read at one offset
	committed int64              // -1: nothing
	metadata  string
}

func newPartitionLog(at place) *partitionLog {
	return &partitionLog{place: at, committed: -1, corrupt: map[int64]error{}}
}

// append adds records. An offset below the end means the next one; one above it leaves a hole.
func (l *partitionLog) append(records ...*messages.Record) []*messages.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		r.Topic, r.Partition = l.topic, l.partition
		r.Offset = max(r.Offset, l.end)
		if r.Time.IsZero() {
			r.Time, r.TimeKind = time.Now(), messages.CreateTime
		}
		l.records = append(l.records, r)
		l.end = r.Offset + 1
	}
	return records
}

// hole moves the end without records.
func (l *partitionLog) hole(offsets int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end += offsets
}

// begin lets a log in which nothing was ever written begin at offset.
func (l *partitionLog) begin(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == 0 {
		l.start, l.end = offset, offset
	}
}

// truncate drops what lies below offset, as retention does.
func (l *partitionLog) truncate(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.records) > 0 && l.records[0].Offset < offset {
		l.records = l.records[1:]
	}
	l.start = max(l.start, offset)
	l.end = max(l.end, offset)
}

// damage makes every read fail; nil heals.
func (l *partitionLog) damage(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
}

// damageAt makes reading fail at one offset; nil heals.
func (l *partitionLog) damageAt(offset int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.corrupt[offset] = err; err == nil {
		delete(l.corrupt, offset)
	}
}

// read answers what one fetch from the offset brings: at most room bytes, but always one record whole, as a broker
// answers with one whole batch (KIP-74).
func (l *partitionLog) read(from int64, room int) (got batch, extent actors.Extent, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	extent = actors.Extent{Next: from, HighWater: l.end, LastStable: l.end, LogStart: l.start}
	switch {
	case l.broken != nil:
		return nil, extent, l.broken
	case from < l.start || from > l.end:
		return nil, extent, l.outside(from)
	}
	for _, r := range l.records {
		if r.Offset < from {
			continue
		}
		damage, size := l.corruptIn(extent.Next, r.Offset), r.Size()
		switch {
		case damage != nil && len(got) == 0:
			return nil, extent, damage
		case damage != nil, len(got) > 0 && size > room:
			return got, extent, nil
		}
		got = append(got, r)
		room -= size
		extent.Next = r.Offset + 1
	}
	extent.Next = l.end
	return got, extent, nil
}

// corruptIn is what makes the way from one offset to another one, included, unreadable.
func (l *partitionLog) corruptIn(from, to int64) error {
	for at, err := range l.corrupt {
		if from <= at && at <= to {
			return err
		}
	}
	return nil
}

func (l *partitionLog) outside(offset int64) error {
	return &supervisor.OutOfRangeError{Offset: offset, Err: fmt.Errorf("%v holds %d to %d", l.place, l.start, l.end)}
}

// span is where the log begins and ends.
func (l *partitionLog) span() (start, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start, l.end
}

// resolve turns a choice other than Fail into an offset.
func (l *partitionLog) resolve(choice consumer.Choice) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, timed := choice.Time()
	switch {
	case choice == consumer.Latest:
		return l.end
	case !timed:
		return l.start
	}
	for _, r := range l.records {
		if !r.Time.Before(at) {
			return r.Offset
		}
	}
	return l.end
}

// commit is what an OffsetCommit does. Like the real coordinator it does not ask who owns the partition. Like the real
// committer it leaves out what is finished beyond the offset if that does not fit, and answers that it was so.
func (l *partitionLog) commit(p actors.Progress) (meta string, without bool) {
	meta, without = metadata.Fit(metadata.Of(p), 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.committed, l.metadata = p.Next, meta
	return meta, without
}

// last is what was committed; false: nothing.
func (l *partitionLog) last() (actors.Progress, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note, err := metadata.Decode(l.metadata)
	return note.Progress(l.committed), l.committed >= 0, err
}
