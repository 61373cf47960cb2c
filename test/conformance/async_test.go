package conformance

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// desk is another actor of the application. It replies at once, but for the second record of each partition: that reply
// waits until the test has it sent.
type desk struct {
	hire sync.Once
	pid  *actor.PID
	sys  *actor.ActorSystem

	mu      sync.Mutex
	held    map[int32]*actor.PID
	answers []messages.Head // that have arrived
	records map[int32]*messages.Record
}

// about is a question.
type about struct{ rec *messages.Record }

func (d *desk) Receive(c actor.Context) {
	q, ok := c.Message().(about)
	if !ok {
		return
	}
	if q.rec.Offset != 1 {
		c.Respond(true)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[q.rec.Partition], d.records[q.rec.Partition] = c.Sender(), q.rec
}

// holds is how many replies wait.
func (d *desk) holds() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.held)
}

// reply sends the reply that waits.
func (d *desk) reply(partition int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sys.Root.Send(d.held[partition], true)
}

// arrived says whether a partition's second record has had its answer.
func (d *desk) arrived(topic string, partition int32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.answers, func(h messages.Head) bool { return h.Topic == topic && h.Partition == partition && h.Offset == 1 })
}

// asker is a partition actor that asks the desk about each record. It is at a record from there to the answer, or to the
// end of the record's context.
type asker struct {
	t    testing.TB
	l    *ledger
	desk *desk

	n    int         // the call on the ledger
	stop func() bool // of what ends it with the context
}

// Receive asks, and completes.
func (a *asker) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		a.desk.hire.Do(func() {
			a.desk.sys = c.ActorSystem()
			a.desk.pid = a.desk.sys.Root.Spawn(actor.PropsFromFunc(a.desk.Receive))
		})
	case *messages.Record:
		n, ctx := a.l.begin("a", m), m.Context()
		a.n, a.stop = n, context.AfterFunc(ctx, func() { a.l.finish(n, context.Cause(ctx), context.Cause(ctx)) })
		actors.Ask(c, m, a.desk.pid, about{m}, time.Minute)
	case *messages.Answer:
		a.desk.mu.Lock()
		a.desk.answers = append(a.desk.answers, messages.Head{Topic: m.Record.Topic, Partition: m.Record.Partition, Offset: m.Record.Offset})
		a.desk.mu.Unlock()
		if a.stop() {
			a.l.finish(a.n, m.Err, nil)
		}
		if !m.Record.Complete(m.Err) {
			a.t.Errorf("completing %v, whose answer has arrived: %v", m.Record, m.Record.Stale())
		}
	}
}

// TestAsynchronousCompletionAtRevocation: a's partitions have completed their first record asynchronously and wait for an
// answer about the second one when b takes two of them away. One answer comes while the partition is being given up: it is
// committed, and b starts behind it. The other one comes when the deadline is over and b has the partition: it reaches nobody,
// its record cannot be completed any more, and b handles it. The partitions that a keeps notice nothing.
func TestAsynchronousCompletionAtRevocation(t *testing.T) {
	if !raced { // it waits for a deadline
		t.Parallel()
	}
	const partitions, each, limit = 4, 6, 3 * tight // half of that is a reserve
	k := cluster(t)
	topic := k.topic(partitions)
	k.fill(topic, partitions, 0, each)
	l := newLedger(partitions, each)
	d := &desk{held: map[int32]*actor.PID{}, records: map[int32]*messages.Record{}}
	config := func(member string) consumer.Config {
		cfg := k.config(member, "g-"+topic, topic)
		cfg.RebalanceTimeout, cfg.DrainTimeout = limit, limit
		return cfg
	}
	cfg := config("a")
	cfg.Actor = func() actor.Actor { return &asker{t: t, l: l, desk: d} }
	a := start(t, "a", cfg)
	eventually(t, "all partitions wait for the answer about their second record", func() bool { return d.holds() == partitions })

	cfg = config("b")
	cfg.Handler = l.keeps("b", nil)
	b := start(t, "b", cfg)
	var given []int32
	eventually(t, "a gives up two partitions", func() bool {
		given = given[:0]
		for p := range a.partitions(messages.StateStopping) {
			given = append(given, p)
		}
		return len(given) == 2
	})
	inTime, late := given[0], given[1]
	d.reply(inTime)
	from := func(p int32) []try {
		return l.calls(func(t try) bool { return t.member == "b" && t.partition == p })
	}
	eventually(t, "b has handled what it got", func() bool { return len(from(inTime)) == each-2 && len(from(late)) == each-1 })
	if !d.arrived(topic, inTime) || from(inTime)[0].offset != 2 {
		t.Errorf("the answer in time has arrived: %v; b began with %+v", d.arrived(topic, inTime), from(inTime)[0])
	}
	d.reply(late)
	d.mu.Lock()
	rec := d.records[late]
	d.mu.Unlock()
	if stale := rec.Stale(); rec.Complete(nil) || !errors.Is(stale, messages.ErrRevoked) {
		t.Errorf("a can still complete %v: %v", rec, stale)
	}
	if first := from(late)[0]; first.offset != 1 {
		t.Errorf("b began with %+v, want the record that a had no answer about", first)
	}
	cut := l.calls(func(c try) bool { return c.member == "a" && c.partition == late && c.offset == 1 })
	if len(cut) != 1 || !errors.Is(cut[0].cause, messages.ErrRevoked) {
		t.Errorf("a's record ended as %+v, want once, with ErrRevoked", cut)
	}
	if kept := l.running("a"); len(kept) != 2 {
		t.Errorf("a is at %+v, want the two partitions that it keeps", kept)
	}
	for p := range int32(partitions) {
		if p != inTime && p != late {
			d.reply(p)
		}
	}
	eventually(t, "all are processed", l.done)
	a.leave()
	b.leave()
	l.clean(t)
	if d.arrived(topic, late) {
		t.Error("the late answer has reached an actor")
	}
	if n := len(told[*messages.Failed](a)); n > 0 {
		t.Errorf("%d failures, want none", n)
	}
	for p, at := range k.committed("g-"+topic, topic) {
		if at != each {
			t.Errorf("partition %d: %d is committed, want %d", p, at, each)
		}
	}
}
