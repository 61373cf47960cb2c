package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// TestStaticMemberTakenOver: a second process with the same instance id takes the partitions over while records are in
// flight in the first one. The first one ends, with an error that says what has happened, where others join again and
// take the place back, for ever: its contexts end with ErrLost, and though its handlers answer with success, no commit of
// theirs is accepted. What it had not committed is handled by the second one; the third member does not notice.
func TestStaticMemberTakenOver(t *testing.T) {
	const partitions, each = 4, 60
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	first, second, others := newLedger(partitions, each), newLedger(partitions, each), newLedger(partitions, each)
	run := func(name, instance string, l *ledger, handle consumer.Handler) *member {
		cfg := k.static(name, group, topic, instance)
		cfg.Handler = l.keeps(name, handle)
		return start(t, name, cfg)
	}
	b := run("b", "two", others, nil)
	a := run("a", "one", first, func(ctx context.Context, rec *consumer.Record) error {
		if rec.Offset == each/2 {
			<-ctx.Done()
		}
		return nil
	})
	a.owns(2)
	b.owns(2)
	k.fill(topic, partitions, 0, each)
	shared, sequences := owned(a), sequencesOf(b)
	eventually(t, "a stands in both of its partitions, and has committed what is before", func() bool {
		at := k.committed(group, topic)
		for p := range shared {
			if at[p] != each/2 {
				return false
			}
		}
		return len(first.running("a")) == 2
	})
	watched := k.neverBack(group, topic)

	for p := range shared {
		second.expect(p, each/2, each)
	}
	again := run("again", "one", second, nil)
	eventually(t, "the second process has processed what the first one had not", func() bool {
		for p := range shared {
			if second.next(p) != each || k.committed(group, topic)[p] != each {
				return false
			}
		}
		return true
	})
	received(t, a.ended, "the first process ends")
	received(t, a.heard, "its last event")
	for _, want := range []string{`InstanceID = "one"`, "another process"} {
		if a.result == nil || !strings.Contains(a.result.Error(), want) {
			t.Errorf("its Run answered %v, which does not say %q", a.result, want)
		}
	}
	if lost := told[*messages.ClaimLost](a); len(lost) != 2 {
		t.Errorf("%d of its claims were lost, want 2", len(lost))
	}
	if now := owned(again); !equalSets(shared, now) {
		t.Errorf("the second process owns %v, the first one owned %v", now, shared)
	}
	stood := first.calls(func(t try) bool { return t.offset >= each/2 })
	for _, c := range stood {
		if c.offset != each/2 || c.ended.IsZero() || !errors.Is(c.cause, messages.ErrLost) {
			t.Errorf("its handler of %d@%d ended at %v, and its context with %v, want ErrLost", c.partition, c.offset, c.ended, c.cause)
		}
	}
	if len(stood) != 2 {
		t.Errorf("it has handled %d records from where it stood on, want 2", len(stood))
	}
	k.fill(topic, partitions, each, each+10)
	eventually(t, "both go on", func() bool {
		at := k.committed(group, topic)
		for p := range int32(partitions) {
			if at[p] != each+10 {
				return false
			}
		}
		return true
	})
	if now := sequencesOf(b); !equalSets(sequences, now) {
		t.Errorf("the other member has other claims: %v, before %v", now, sequences)
	}
	again.leave()
	b.leave()
	watched()
	for _, l := range []*ledger{first, second, others} {
		for _, f := range l.faults {
			t.Error(f)
		}
		if l.duplicates > 0 {
			t.Errorf("%d records were finished twice by one process", l.duplicates)
		}
	}
}
