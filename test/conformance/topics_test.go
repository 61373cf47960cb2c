package conformance

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// remove deletes a topic and waits until nobody knows it any more.
func (k *kafka) remove(topic string) {
	k.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = &topic
	req.TopicNames, req.Topics, req.TimeoutMillis = append(req.TopicNames, topic), append(req.Topics, rt), 20_000
	resp := ask[*kmsg.DeleteTopicsResponse](k, req)
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		k.t.Fatalf("delete %s: %v", topic, err)
	}
	eventually(k.t, topic+" is gone", func() bool { return !k.exists(topic) })
}

// TestTopicsPartitionsAdded: partitions are added, twice, to a topic that two members consume. They are shared out and
// consumed from their beginning, those that were there run on, and no record is lost or handled twice.
func TestTopicsPartitionsAdded(t *testing.T) {
	t.Parallel() // it waits until the topics are looked at
	const each = 40
	k := cluster(t)
	topic := k.topic(2)
	group := "g-" + topic
	l, o := newLedger(2, each), newOwners()
	run := func(name string) *member {
		cfg := k.config(name, group, topic)
		cfg.Hooks = o.hooks(name)
		cfg.Handler = l.keeps(name, nil)
		return start(t, name, cfg)
	}
	a, b := run("a"), run("b")
	a.owns(1)
	b.owns(1)
	k.fill(topic, 2, 0, each)
	for _, added := range [][2]int32{{2, 4}, {4, 7}} {
		for p := added[0]; p < added[1]; p++ {
			l.expect(p, 0, each)
		}
		k.grow(topic, added[1])
		for p := added[0]; p < added[1]; p++ {
			k.produceTo(topic, p, 0, each)
		}
		eventually(t, "the new ones have owners", func() bool { return o.all(int(added[1])) })
		eventually(t, "all are processed", l.done)
	}
	if na, nb := len(a.partitions()), len(b.partitions()); na+nb != 7 || na < 3 || nb < 3 {
		t.Errorf("they own %d and %d, want three and four", na, nb)
	}
	a.leave()
	b.leave()
	l.clean(t)
	o.twice(t)
}

// TestTopicsMadeAgain: a topic is deleted while it is consumed, and made again with fewer records. While it is gone,
// readiness names it and nobody creates it by asking; when it is back, what is committed is not in the new log: the
// partition says so and goes on where it was told to, without a restart.
func TestTopicsMadeAgain(t *testing.T) {
	t.Parallel() // it waits until the topics are looked at
	const before, after = 50, 20
	k := cluster(t)
	k.createsByAsking(t)
	topic := k.topic(1)
	group := "g-" + topic
	k.fill(topic, 1, 0, before)
	var got seen
	cfg := k.config("a", group, topic)
	cfg.Offsets.OutOfRange = consumer.Earliest
	cfg.Handler = got.handle
	a := start(t, "a", cfg)
	eventually(t, "all are committed", func() bool { return k.committed(group, topic)[0] == before })
	k.remove(topic)
	eventually(t, "readiness names the topic", func() bool {
		h := a.status().Health
		return h.Live && !h.Ready && strings.Contains(strings.Join(h.Reasons, "\n"), topic)
	})
	if k.exists(topic) {
		t.Error("the topic was created by asking for it")
	}
	k.create(topic, 1)
	k.produceTo(topic, 0, 0, after)
	eventually(t, "the new log is processed", func() bool { return len(got.all()) >= before+after })
	eventually(t, "the consumer is ready", func() bool { return a.status().Health.Ready })
	eventually(t, "the new log's end is committed", func() bool { return k.committed(group, topic)[0] == after })
	a.leave()
	all := got.all()
	for i, want := range append(span(0, before), span(0, after)...) {
		if i >= len(all) || all[i] != want {
			t.Fatalf("handled %v, want 0 to %d and 0 to %d", all, before-1, after-1)
		}
	}
	if len(all) != before+after {
		t.Errorf("handled %d records, want %d", len(all), before+after)
	}
	for _, m := range told[*messages.Moved](a) {
		if m.To != 0 || m.From != before {
			t.Errorf("moved %+v, want from %d to 0", *m, before)
		}
	}
}
