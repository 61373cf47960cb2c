package simulation

import (
	"context"
	"slices"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// operate is an operator who looks every few seconds, and has parked heads tried again, or skipped.
func (w *world) operate(over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-time.After(7 * time.Second):
		}
		for _, p := range w.living() {
			for _, s := range w.look(p) {
				if s.State == messages.StateParked {
					w.order(p, s, (s.Head+int64(w.seed))%4 == 0)
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

// order has the head that an operator has seen tried again, or skipped. By now it may be another one.
func (w *world) order(p *process, s messages.PartitionStatus, skip bool) {
	head := messages.Head{Topic: s.Claim.Topic, Partition: s.Claim.Partition, Offset: s.Head}
	if head.Offset < 0 {
		return
	}
	text, cmd := "retry", messages.Command(&messages.RetryHead{Head: head, By: "operator"})
	if skip {
		text, cmd = "skip", &messages.SkipHead{Head: head, By: "operator"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	seen := w.ledger.ordered(p, head, skip)
	result, err := consumer.NewRef(w.sys, p.pid).Do(ctx, cmd)
	w.ledger.note("the operator has %s %s %s/%d@%d: %v", p.name, text, topic, head.Partition, head.Offset, err)
	if result != nil || ctx.Err() == nil { // else it may be carried out yet
		w.ledger.obeyed(p, seen, head, skip, err)
	}
}

// act has an operator act on what was seen a while ago: on a head that waits, if there was one.
func (w *world) act(p *process, nth int, after time.Duration, skip bool) {
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
	w.order(p, all[nth%len(all)], skip)
}
