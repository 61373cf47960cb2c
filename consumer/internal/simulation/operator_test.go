package simulation

import (
	"context"
	"slices"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// operate is an operator who looks every few seconds, and has parked heads tried again, skipped, or dead-lettered. What would wait for
// long, because the place for letters was away, is tried again, too.
func (w *world) operate(over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-time.After(7 * time.Second):
		}
		for _, p := range w.living() {
			for _, s := range w.look(p) {
				switch {
				case s.State == messages.StateParked:
					w.order(p, s, order((s.Head+int64(w.seed))%4%3))
				case s.State == messages.StateHolding && time.Until(s.NextRetry) > time.Minute:
					w.order(p, s, asRetry)
				}
			}
		}
	}
}

// look is a process's partitions, in order; none if it does not answer.
func (w *world) look(p *process) []messages.PartitionStatus {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	status, err := consumer.NewRef(w.sys, p.pid).Status(ctx)
	if err != nil {
		return nil
	}
	return slices.SortedFunc(slices.Values(status.Partitions), func(a, b messages.PartitionStatus) int {
		return int(a.Claim.Partition - b.Claim.Partition)
	})
}

// order has the head that an operator has seen tried again, skipped, or written as a dead letter. By now it may be another one.
func (w *world) order(p *process, s messages.PartitionStatus, what order) {
	head := messages.Head{Topic: s.Claim.Topic, Partition: s.Claim.Partition, Offset: s.Head}
	if head.Offset < 0 {
		return
	}
	cmd := messages.Command(&messages.RetryHead{Head: head, By: "operator"})
	switch what {
	case asSkip:
		cmd = &messages.SkipHead{Head: head, By: "operator"}
	case asLetter:
		cmd = &messages.DeadLetterHead{Head: head, To: "operators", By: "operator"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	seen := w.ledger.ordered(p, head, what)
	result, err := consumer.NewRef(w.sys, p.pid).Do(ctx, cmd)
	w.ledger.note("the operator has %s %v %s/%d@%d: %v", p.name, what, topic, head.Partition, head.Offset, err)
	if result != nil || ctx.Err() == nil { // else it may be carried out yet
		w.ledger.obeyed(p, seen, head, what, err)
	}
}

// act has an operator act on what was seen a while ago: on a head that waits, if there was one.
func (w *world) act(p *process, nth int, after time.Duration, what order) {
	all := w.look(p)
	if len(all) == 0 {
		return
	}
	if waits := slices.IndexFunc(all, func(s messages.PartitionStatus) bool {
		return s.State == messages.StateHolding || s.State == messages.StateParked
	}); waits >= 0 {
		nth = waits
	}
	time.Sleep(after) // in the schedule's bubble
	w.order(p, all[nth%len(all)], what)
}
