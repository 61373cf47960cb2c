package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// TestHandlerTimeout: of three partitions one has a handler that is cut off, one has a handler that does not heed it,
// and one runs on. The record that was cut off is delivered again; the other one only when its handler has returned,
// although its time has long been over: the ledger would see a second handler beside it. What both come to is a timeout.
func TestHandlerTimeout(t *testing.T) {
	const (
		each  = 10
		limit = 500 * time.Millisecond
	)
	k := cluster(t)
	topic := k.topic(3)
	k.fill(topic, 3, 0, each)
	l := newLedger(3, each)
	g := newGate()
	defer g.release()
	cfg := k.config("a", "g-"+topic, topic)
	cfg.HandlerTimeout = limit
	cfg.Policy = supervisor.Policy{
		supervisor.On(supervisor.Timeout(), supervisor.Retry(supervisor.Every(0)).Times(100), supervisor.Park("it takes too long")),
		supervisor.On(supervisor.Any(), supervisor.Park("no timeout")),
	}
	cfg.Handler = l.keeps("a", func(ctx context.Context, rec *consumer.Record) error {
		switch {
		case rec.Attempt > 0 || rec.Offset != 3:
			return nil
		case rec.Partition == 0:
			<-ctx.Done()
			return ctx.Err()
		case rec.Partition == 1:
			<-g.open
			return errStumble
		}
		return nil
	})
	a := start(t, "a", cfg)
	eventually(t, "the two others are processed", func() bool { return l.next(0) == each && l.next(2) == each })
	work(nil, 2*limit) // real time: a second delivery would come by then
	if p := a.partitions()[1]; p.State != messages.StateBusy || p.Head != 3 || p.Attempt != 0 || l.next(1) != 3 {
		t.Errorf("while its handler does not return: %v, head %d, attempt %d", p.State, p.Head, p.Attempt)
	}
	g.release()
	eventually(t, "all are processed", l.done)
	a.leave()
	l.clean(t)
	seen := map[int32]bool{}
	for _, f := range told[*messages.Failed](a) {
		if f.Failure.Class != messages.ClassTimeout || !errors.Is(f.Failure.Err, messages.ErrTimeout) {
			t.Errorf("%v", f.Failure)
		}
		if f.Failure.Offset == 3 {
			seen[f.Failure.Partition] = true
		}
	}
	if !seen[0] || !seen[1] {
		t.Errorf("timeouts of the partitions %v, want of 0 and 1", seen)
	}
}
