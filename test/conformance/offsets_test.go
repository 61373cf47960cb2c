package conformance

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// seen keeps the offsets that a handler got, in order.
type seen struct {
	mu      sync.Mutex
	offsets []int64
}

func (s *seen) handle(_ context.Context, rec *consumer.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offsets = append(s.offsets, rec.Offset)
	return nil
}

func (s *seen) all() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.offsets)
}

// deleteBelow removes the records below an offset from a partition's log, as retention does.
func (k *kafka) deleteBelow(topic string, partition int32, offset int64) {
	k.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Partition, rp.Offset = partition, offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics, req.TimeoutMillis = append(req.Topics, rt), 20_000
	resp := ask[*kmsg.DeleteRecordsResponse](k, req)
	if err := kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode); err != nil {
		k.t.Fatalf("delete records of %s/%d below %d: %v", topic, partition, offset, err)
	}
}

// TestOffsetsWithHoles: transactions leave markers in the log, and aborted records. What was committed comes, in order,
// what was aborted does not, and the next owner begins behind the last one, not in front of a marker.
func TestOffsetsWithHoles(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	client := k.client(kgo.TransactionalID(name("tx")))
	defer client.Close()
	var want []int64
	transact := func(n int, end kgo.TransactionEndTry) {
		t.Helper()
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			rec := &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(i))}
			if err := client.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if end == kgo.TryCommit {
				want = append(want, rec.Offset)
			}
		}
		if err := client.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 12 {
		transact(1+i%3, i%4 != 1)
	}
	group := "g-" + topic
	var first, second seen
	cfg := k.config("a", group, topic)
	cfg.Handler = first.handle
	a := start(t, "a", cfg)
	eventually(t, "all committed records came", func() bool { return len(first.all()) >= len(want) })
	a.leave()
	if got := first.all(); !slices.Equal(got, want) {
		t.Errorf("handled %v, want %v", got, want)
	}

	had := len(want)
	transact(2, kgo.TryAbort)
	transact(3, kgo.TryCommit)
	cfg = k.config("b", group, topic)
	cfg.Handler = second.handle
	b := start(t, "b", cfg)
	eventually(t, "the rest came", func() bool { return len(second.all()) >= 3 })
	b.leave()
	if got := second.all(); !slices.Equal(got, want[had:]) {
		t.Errorf("the next owner handled %v, want %v", got, want[had:])
	}
}

// TestOffsetsOutOfRange: the committed offset is not in the log any more. The partition parks with the reason, or goes
// where Offsets.OutOfRange says; nothing is jumped over without a word. An operator can make a parked one go on.
func TestOffsetsOutOfRange(t *testing.T) {
	const each = 40
	for _, c := range []struct {
		name   string
		choice consumer.Choice
		want   []int64
	}{
		{"Fail", consumer.Fail, nil},
		{"Earliest", consumer.Earliest, span(30, each+5)},
		{"Latest", consumer.Latest, span(each, each+5)},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := cluster(t)
			topic := k.topic(1)
			group := "g-" + topic
			k.fill(topic, 1, 0, each)
			k.commit(group, topic, map[int32]int64{0: 10})
			k.deleteBelow(topic, 0, 30)
			var got seen
			cfg := k.config("a", group, topic)
			cfg.Offsets.OutOfRange = c.choice
			cfg.Handler = got.handle
			a := start(t, "a", cfg)
			if c.want == nil {
				eventually(t, "the partition parks", func() bool { return len(a.partitions(messages.StateParked)) == 1 })
				p := a.partitions()[0]
				if p.Head != 10 || p.Reason == "" {
					t.Errorf("it parked at %d because of %q, want 10 and a reason", p.Head, p.Reason)
				}
				if at := k.committed(group, topic)[0]; at != 10 {
					t.Errorf("committed %d while it is parked, want 10", at)
				}
				cmd := &messages.SkipHead{Head: messages.Head{Topic: topic, Partition: 0, Offset: 10}, By: "the test"}
				if _, err := a.Do(t.Context(), cmd); err != nil {
					t.Errorf("skip: %v", err)
				}
				c.want = span(30, each+5)
			} else {
				a.owns(1)
			}
			k.fill(topic, 1, each, each+5)
			eventually(t, "the rest is processed", func() bool { return len(got.all()) >= len(c.want) })
			a.leave()
			if !slices.Equal(got.all(), c.want) {
				t.Errorf("handled %v, want %v", got.all(), c.want)
			}
			moved := told[*messages.Moved](a)
			if len(moved) != 1 || moved[0].From != 10 || moved[0].To != c.want[0] {
				t.Errorf("moved %+v, want once, from 10 to %d", moved, c.want[0])
			}
		})
	}
}

// TestOffsetsLatest: a group that begins at the end commits that at once, so that what is produced before the first
// record is handled is not jumped over by the next owner; and partitions that are added later begin at the earliest.
func TestOffsetsLatest(t *testing.T) {
	t.Parallel() // it waits until the topics are looked at
	k := cluster(t)
	topic := k.topic(1)
	group := "g-" + topic
	k.fill(topic, 1, 0, 10)
	cfg := k.config("a", group, topic)
	cfg.Offsets.Start = consumer.Latest
	l := newLedger(1, 10)
	l.expect(0, 10, 15)
	cfg.Handler = l.keeps("a", nil)
	a := start(t, "a", cfg)
	eventually(t, "the end is committed", func() bool { return k.committed(group, topic)[0] == 10 })
	a.leave()
	k.fill(topic, 1, 10, 15) // while nobody listens

	cfg.Logger = k.journal.logger("b")
	cfg.Handler = l.keeps("b", nil)
	b := start(t, "b", cfg)
	eventually(t, "what came in between is processed", l.done)
	k.grow(topic, 2)
	l.expect(1, 0, 5)
	k.produceTo(topic, 1, 0, 5)
	eventually(t, "the new partition is processed from its beginning", l.done)
	b.leave()
	l.clean(t)
}

// produceTo is fill for one partition.
func (k *kafka) produceTo(topic string, partition int32, from, end int) {
	k.t.Helper()
	client := k.client() // the other one may not know that the partition is there
	defer client.Close()
	for n := from; n < end; n++ {
		rec := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(strconv.Itoa(n))}
		if err := client.ProduceSync(k.t.Context(), rec).FirstErr(); err != nil {
			k.t.Fatal(fmt.Errorf("produce to %s/%d: %w", topic, partition, err))
		}
	}
}

// TestParked: a parked record keeps its partition, is visible, and travels parked to the next owner; others run on.
// An operator retries it, and skips it.
func TestParked(t *testing.T) {
	k := cluster(t)
	topic := k.topic(2)
	group := "g-" + topic
	k.fill(topic, 2, 0, 5)
	l := newLedger(2, 5)
	l.expect(0, 0, 2) // and 2 is given up
	cfg := k.config("a", group, topic)
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(backoff)).Times(2), supervisor.Park("needs a human"))}
	fails := func(_ context.Context, rec *consumer.Record) error {
		if rec.Partition == 0 && rec.Offset == 2 {
			return errStumble
		}
		return nil
	}
	cfg.Handler = l.keeps("a", fails)
	a := start(t, "a", cfg)
	eventually(t, "the record is parked and the others are processed", func() bool {
		return len(a.partitions(messages.StateParked)) == 1 && l.done()
	})
	a.leave()

	cfg.Logger = k.journal.logger("b")
	cfg.Handler = l.keeps("b", fails)
	b := start(t, "b", cfg)
	eventually(t, "it is parked at the next owner", func() bool { return len(b.partitions(messages.StateParked)) == 1 })
	p := b.partitions()[0]
	if p.Head != 2 || p.Attempt != 3 || p.Reason != "needs a human" {
		t.Errorf("parked at %d with attempt %d because of %q, want 2, 3 and the reason", p.Head, p.Attempt, p.Reason)
	}
	if calls := l.calls(by("b")); len(calls) > 0 {
		t.Errorf("the next owner handled %v, want nothing before somebody asks for it", attempts(calls))
	}
	head := messages.Head{Topic: topic, Partition: 0, Offset: 2}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := b.Do(ctx, &messages.SkipHead{Head: messages.Head{Topic: topic, Offset: 1}}); err == nil {
		t.Error("a command for another head was carried out")
	}
	if _, err := b.Do(ctx, &messages.RetryHead{Head: head, By: "the test"}); err != nil {
		t.Errorf("retry: %v", err)
	}
	eventually(t, "it was handled once more, and is parked again", func() bool {
		return len(l.calls(by("b"))) == 1 && len(b.partitions(messages.StateParked)) == 1
	})
	l.expect(0, 3, 5)
	if _, err := b.Do(ctx, &messages.SkipHead{Head: head, By: "the test"}); err != nil {
		t.Errorf("skip: %v", err)
	}
	eventually(t, "all are processed", l.done)
	b.leave()
	l.clean(t)
	if at := k.committed(group, topic)[0]; at != 5 {
		t.Errorf("committed %d, want 5", at)
	}
	if calls := l.calls(by("b")); calls[0].offset != 2 || calls[0].attempt != 3 {
		t.Errorf("the next owner handled %v, want 2#3 first", attempts(calls))
	}
}
