package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// TestCommitMetadataTooLarge: the brokers take less metadata than what a parked record needs, with its reason or without. A consumer that insists
// on it would commit nothing of that partition any more. The offset is committed without it, which is told together with the
// setting of the broker that is to blame; the next owner has the record, and only the attempts and the park are forgotten.
func TestCommitMetadataTooLarge(t *testing.T) {
	const each, bad = 6, 3
	k := cluster(t)
	if k.fake == nil {
		k.reconfigure("offset.metadata.max.bytes=8") // not even the attempts fit
	}
	topic := k.topic(2)
	group := "g-" + topic
	if k.fake != nil {
		k.fake.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.OffsetCommit}, Topic: topic, Partitions: []int32{0}, Err: kerr.OffsetMetadataTooLarge, Count: -1,
			When: carriesMetadata,
		})
	}
	k.fill(topic, 2, 0, each)
	l := newLedger(2, each)
	l.expect(0, 0, bad)
	cfg := k.config("a", group, topic)
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(backoff)).Times(2), supervisor.Park("needs a human"))}
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Partition == 0 && rec.Offset == bad {
			return errStumble
		}
		return nil
	})
	a := start(t, "a", cfg)
	eventually(t, "the record is parked, the others are processed", func() bool { return len(a.partitions(messages.StateParked)) == 1 && l.done() })
	eventually(t, "it is told that the metadata is too large", func() bool {
		return slices.ContainsFunc(told[*messages.CommitFailed](a), func(f *messages.CommitFailed) bool {
			return errors.Is(f.Err, sarama.ErrOffsetMetadataTooLarge) && strings.Contains(f.Err.Error(), "offset.metadata.max.bytes")
		})
	})
	eventually(t, "the offsets are committed all the same", func() bool { at := k.committed(group, topic); return at[0] == bad && at[1] == each })
	a.leave()
	for _, f := range told[*messages.CommitFailed](a) {
		if f.Final || f.Claim.Partition != 0 {
			t.Errorf("told %+v", *f)
		}
	}

	l.expect(0, bad, each)
	cfg.Logger, cfg.Handler = k.journal.logger("b"), l.keeps("b", nil)
	b := start(t, "b", cfg)
	eventually(t, "the next owner goes on with it", l.done)
	b.leave()
	l.clean(t)
	if first := l.calls(by("b"))[0]; first.offset != bad || first.attempt != 0 {
		t.Errorf("the next owner began at %d#%d, want %d#0", first.offset, first.attempt, bad)
	}
	if at := k.committed(group, topic)[0]; at != each {
		t.Errorf("committed %d, want %d", at, each)
	}
}

// carriesMetadata is a commit with metadata.
func carriesMetadata(r kmsg.Request) bool {
	for _, t := range r.(*kmsg.OffsetCommitRequest).Topics {
		for _, p := range t.Partitions {
			if p.Metadata != nil && *p.Metadata != "" {
				return true
			}
		}
	}
	return false
}
