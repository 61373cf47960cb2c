package simulation

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

const topic = "t"

// shelf is the topic's logs, on brokers that are always there.
type shelf struct {
	mu      sync.Mutex
	offsets [][]int64 // of the records of each partition; transactions and compaction leave holes
	ends    []int64
	readers map[*reader]struct{}
}

func newShelf(partitions int) *shelf {
	return &shelf{offsets: make([][]int64, partitions), ends: make([]int64, partitions), readers: map[*reader]struct{}{}}
}

// write appends records behind a hole.
func (s *shelf) write(partition int32, records int, hole int64) {
	s.mu.Lock()
	s.ends[partition] += hole
	for range records {
		s.offsets[partition] = append(s.offsets[partition], s.ends[partition])
		s.ends[partition]++
	}
	s.mu.Unlock()
	s.tell()
}

func (s *shelf) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.readers {
		r.wake()
	}
}

// read is one fetch.
func (s *shelf) read(partition int32, from int64, most int) (batch, actors.Extent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.ends[partition]
	x := actors.Extent{Next: max(from, end), HighWater: end, LastStable: end}
	all := s.offsets[partition]
	i, _ := slices.BinarySearch(all, from)
	got := all[i:]
	if len(got) > most {
		got = got[:most]
		x.Next = got[most-1] + 1
	}
	return batch{partition, got}, x
}

// all are a partition's offsets; they are only ever appended to.
func (s *shelf) all(partition int32) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offsets[partition]
}

// Range implements committer.Ranges.
func (s *shelf) Range(_ context.Context, _ string, partition int32) (first, end int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 0, s.ends[partition], nil
}

// HighWater implements committer.Ranges.
func (s *shelf) HighWater(ctx context.Context, topic string, partition int32) (int64, error) {
	_, end, err := s.Range(ctx, topic, partition)
	return end, err
}

// OffsetAt implements committer.Ranges.
func (s *shelf) OffsetAt(context.Context, string, int32, time.Time) (int64, error) { return 0, nil }

// batch implements actors.Batch.
type batch struct {
	partition int32
	offsets   []int64
}

const recordSize = messages.RecordOverhead + 8

func (b batch) Len() int           { return len(b.offsets) }
func (b batch) Offset(i int) int64 { return b.offsets[i] }
func (b batch) Size(int) int       { return recordSize }
func (b batch) Read(i int, r *messages.Record) {
	text := strconv.FormatInt(b.offsets[i], 10)
	r.Topic, r.Partition, r.Offset, r.Key, r.Value = topic, b.partition, b.offsets[i], []byte("k"+text), []byte(text)
	r.Headers = []messages.Header{{Key: "h", Value: r.Value}}
}
