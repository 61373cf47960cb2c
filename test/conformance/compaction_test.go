package conformance

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// TestOffsetsInACompactedLog: compaction has taken the committed record, and most of those behind it. A client that waits for
// exactly the record it asked for waits for ever, and one that counts offsets by one commits what is not there. Here the
// first record at or after the offset comes, and all that are left, in order; the next owner begins behind the last one. That
// is no fault and nothing is moved.
func TestOffsetsInACompactedLog(t *testing.T) {
	const old, keys, from = 200, 9, 5
	k := cluster(t)
	topic, group := name("compacted"), name("g")
	k.create(topic, 1, "cleanup.policy=compact", "segment.ms=100", "min.cleanable.dirty.ratio=0.0", "max.compaction.lag.ms=1000")
	var recs []*kgo.Record
	var want []int64
	for n := range int64(old + keys) {
		key := fmt.Sprint("of many ", n%keys)
		if n < old && n%10 == 0 {
			key = fmt.Sprint("the only one ", n)
		}
		recs = append(recs, &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte("x")})
		if n >= from && (n >= old || n%10 == 0) {
			want = append(want, n)
		}
	}
	for batch := range slices.Chunk(recs, 20) {
		if err := k.writer.ProduceSync(t.Context(), batch...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	k.active(topic)
	k.compact(topic, len(want)+1) // and the one at 0
	k.commit(group, topic, map[int32]int64{0: from})

	var mu sync.Mutex
	var got []int64
	var last int64
	handle := func(_ context.Context, rec *consumer.Record) error {
		mu.Lock()
		defer mu.Unlock()
		if string(rec.Key) != active {
			got = append(got, rec.Offset)
		}
		last = rec.Offset
		return nil
	}
	read := func() ([]int64, int64) { mu.Lock(); defer mu.Unlock(); return slices.Clone(got), last }
	cfg := k.config("a", group, topic)
	cfg.Handler = handle
	a := start(t, "a", cfg)
	eventually(t, "the end is reached", func() bool { _, at := read(); return at == k.stable(topic)-1 })
	a.leave()
	all, end := read()
	if !slices.Equal(all, want) {
		t.Errorf("handled %v, want %v", all, want)
	}
	if moved := told[*messages.Moved](a); len(moved) > 0 {
		t.Errorf("moved %+v", *moved[0])
	}
	if at := k.committed(group, topic)[0]; at != end+1 {
		t.Errorf("committed %d, want %d", at, end+1)
	}

	k.active(topic)
	cfg.Logger = k.journal.logger("b")
	b := start(t, "b", cfg)
	eventually(t, "the next owner has what came since", func() bool { _, at := read(); return at > end })
	b.leave()
	if all, _ := read(); !slices.Equal(all, want) {
		t.Errorf("the next owner handled %v again", all[len(want):])
	}
}

// active is the key of records in the active segment, which is never compacted.
const active = "active"

// active begins a new segment, so that the ones before can be compacted.
func (k *kafka) active(topic string) {
	k.t.Helper()
	put(k.t, k.writer, &kgo.Record{Topic: topic, Key: []byte(active), Value: []byte("x")})
}

// compact waits until a topic's only partition has no more records than these beside the active ones.
func (k *kafka) compact(topic string, most int) {
	k.t.Helper()
	if !waits(3*patience, func() bool {
		if k.fake != nil {
			k.fake.Compact()
		} else {
			work(k.t.Context().Done(), time.Second) // longer than a segment: and its cleaner looks now and then only
			k.active(topic)
		}
		return k.left(topic) <= most
	}) {
		k.t.Fatalf("%d records are left, want %d: the log is not compacted", k.left(topic), most)
	}
}

// left is how many records there are but active ones.
func (k *kafka) left(topic string) (n int) {
	k.t.Helper()
	end := k.stable(topic)
	client := k.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	defer client.Close()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	for at := int64(0); at < end; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			k.t.Fatalf("the other client does not get to %d", end)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at = r.Offset + 1
			if string(r.Key) != active {
				n++
			}
		})
	}
	return n
}
