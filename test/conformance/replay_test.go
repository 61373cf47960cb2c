package conformance

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/deadletters"
	"github.com/ottla-go/ottla/supervisor"
)

// TestReplay: a third of the records is dead-lettered. They are replayed in two parts, and once more: each is handled again
// exactly once, in the partition and the order that it came from.
func TestReplay(t *testing.T) {
	const each, bad = 30, 10
	k := cluster(t)
	topic := k.topic(2)
	dlt, group := topic+".dlt", "g-"+topic
	k.fill(topic, 2, 0, each)
	var mended atomic.Bool
	again := newLedger(2, each+bad)
	cfg := k.config("a", group, topic)
	cfg.CreateDeadLetterTopics = true
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.DeadLetter(dlt))}
	cfg.Handler = again.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset%3 == 1 && !mended.Load() {
			return errors.New("bad")
		}
		return nil
	})
	a := start(t, "a", cfg)
	reached := func(n int64) func() bool {
		return func() bool { at := k.committed(group, topic); return at[0] == n && at[1] == n }
	}
	eventually(t, "all is committed", reached(each))
	mended.Store(true)

	c, err := deadletters.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, x := range []struct{ limit, replayed, already int }{{7, 7, 0}, {0, 2*bad - 7, 7}, {0, 0, 2 * bad}} {
		r, err := c.Replay(t.Context(), dlt, deadletters.Replay{Write: true, Filter: deadletters.Filter{Limit: x.limit}})
		if err != nil || r.Total() != x.replayed || r.Already != x.already {
			t.Fatalf("replay %d: %+v, %v", i, r, err)
		}
	}
	eventually(t, "what was replayed is committed", reached(each+bad))
	a.leave()
	for _, r := range k.letters(topic, 2*(each+bad)) {
		mark := header(r, deadletters.ReplayOf)
		if r.Offset < each {
			if mark != "" {
				t.Errorf("%d@%d has the mark %s", r.Partition, r.Offset, mark)
			}
			continue
		}
		at, err := deadletters.ParsePlace(mark)
		if err != nil || at.Topic != dlt || at.Partition != r.Partition || at.Offset != r.Offset-each {
			t.Errorf("%d@%d is the replay of %s: in another partition, or out of order", r.Partition, r.Offset, mark)
		}
		if class := header(r, "ottla-dlt-class"); class != "" {
			t.Errorf("what was said of the failure is still there: %s", class)
		}
	}
}
