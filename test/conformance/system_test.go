package conformance

import (
	"sync"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// TestEmbeddingTwoConsumers: two consumers in one actor system, both of one group, share the partitions; a third of
// another group has all. One is poisoned, and the others do not notice but for its share.
func TestEmbeddingTwoConsumers(t *testing.T) {
	const partitions, each = 4, 60
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	l, apart, o := newLedger(partitions, 2*each), newLedger(partitions, 2*each), newOwners()
	config := func(name, group string, l *ledger) consumer.Config {
		cfg := k.config(name, group, topic)
		cfg.Handler = l.keeps(name, nil)
		return cfg
	}
	first := config("a", group, l)
	first.Hooks = o.hooks("a")
	a := startApp(t, k, decides(actor.StopDirective), first)
	embed := func(cfg consumer.Config) consumer.Ref {
		props, err := consumer.Props(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ref := consumer.NewRef(a.sys, a.sys.Root.Spawn(props))
		t.Cleanup(func() { // before the system's own
			if err := ref.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
				t.Error(err)
			}
		})
		return ref
	}
	second := config("b", group, l)
	second.Hooks = o.hooks("b")
	b, c := embed(second), embed(config("c", "other-"+topic, apart))
	k.fill(topic, partitions, 0, each)
	eventually(t, "both groups are at the end", func() bool { return l.count() == partitions*each && apart.count() == partitions*each })
	eventually(t, "a and b own a half each", func() bool {
		share := map[string]int{}
		for _, who := range o.now() {
			for _, w := range who {
				share[w]++
			}
		}
		return o.all(partitions) && share["a"] == partitions/2 && share["b"] == partitions/2
	})
	a.sys.Root.Poison(a.child)
	received(t, a.ended, "Terminated")
	eventually(t, "b owns all", func() bool { return o.all(partitions) })
	k.fill(topic, partitions, each, 2*each)
	eventually(t, "all are processed by b, and by the other group", func() bool { return l.done() && apart.done() })
	for name, ref := range map[string]consumer.Ref{"b": b, "c": c} {
		if err := ref.Shutdown(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.clean(t)
	apart.clean(t)
	o.twice(t)
}

// witness is a partition's actor that completes every record, and keeps who it was and what it was sent.
type witness struct{ *log }

// log is what the witnesses of one consumer keep.
type log struct {
	mu      sync.Mutex
	selves  map[int32][]*actor.PID // one for each claim
	records map[int32][]*messages.Record
	notes   []note
}

// note is a message of the application to a partition's actor.
type note struct{ text string }

// Receive is the actor's.
func (w witness) Receive(c actor.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch m := c.Message().(type) {
	case *messages.Assigned:
		w.selves[m.Claim.Partition] = append(w.selves[m.Claim.Partition], c.Self())
	case *messages.Record:
		w.records[m.Partition] = append(w.records[m.Partition], m)
		m.Complete(nil)
	case note:
		w.notes = append(w.notes, m)
	}
}

// claims is how often each partition was assigned.
func (g *log) claims(partition int32) []*actor.PID {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*actor.PID(nil), g.selves[partition]...)
}

// TestEmbeddingStaleMessage: a partition is given to another member and comes back. What is sent to the old claim's actor
// is a dead letter and reaches nobody; an old record cannot be completed any more; the new claim's actor has another name,
// and what is sent to the partition reaches it.
func TestEmbeddingStaleMessage(t *testing.T) {
	const partitions, each = 2, 10
	k := cluster(t)
	topic := k.topic(partitions)
	group := "g-" + topic
	k.fill(topic, partitions, 0, each)
	g := &log{selves: map[int32][]*actor.PID{}, records: map[int32][]*messages.Record{}}
	cfg := k.config("a", group, topic)
	cfg.Handler, cfg.Actor = nil, func() actor.Actor { return witness{g} }
	a := startApp(t, k, decides(actor.StopDirective), cfg)
	at := func(n int64) func() bool {
		return func() bool { now := k.committed(group, topic); return now[0] == n && now[1] == n }
	}
	eventually(t, "all are committed", at(each))

	cfg = k.config("b", group, topic)
	cfg.Handler = newLedger(partitions, 0).keeps("b", nil)
	b := start(t, "b", cfg)
	b.owns(1)
	var moved int32
	for moved = range b.partitions() {
	}
	b.leave()
	eventually(t, "a has it again", func() bool { return len(g.claims(moved)) == 2 })
	k.fill(topic, partitions, each, 2*each)
	eventually(t, "all are committed again", at(2*each))

	letters := make(chan any, 16)
	sub := a.sys.EventStream.Subscribe(func(e any) {
		if dead, ok := e.(*actor.DeadLetterEvent); ok {
			if n, ok := dead.Message.(note); ok {
				letters <- n
			}
		}
	})
	defer a.sys.EventStream.Unsubscribe(sub)
	claims := g.claims(moved)
	if claims[0].Equal(claims[1]) {
		t.Errorf("the actors of both claims are %v", claims[0])
	}
	a.sys.Root.Send(claims[0], note{"to the old claim"})
	if n := received(t, letters, "a dead letter"); n != (note{"to the old claim"}) {
		t.Errorf("the dead letter is %v", n)
	}
	if err := a.ref().Send(topic, moved, note{"to the partition"}); err != nil {
		t.Error(err)
	}
	eventually(t, "what is sent to the partition arrives", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.notes) > 0
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.notes) != 1 || g.notes[0].text != "to the partition" {
		t.Errorf("the partitions' actors were told %v", g.notes)
	}
	if old := g.records[moved][0]; old.Complete(nil) || old.Stale() == nil {
		t.Errorf("%v of the old claim can still be completed", old)
	}
	if n := len(g.records[moved]); n != 2*each {
		t.Errorf("%d records were handled, want %d", n, 2*each)
	}
}
