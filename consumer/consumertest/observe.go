package consumertest

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Delivery is one attempt: a record was given to the handler, or to the actor. Compare with ==.
type Delivery struct {
	Offset      int64
	Attempt     int
	Incarnation int           // of the partition's actor, from 1
	At          time.Duration // virtual time since Run began
}

// observe wraps the handler or the actors, so that the kit sees deliveries; nothing else is different for them.
func (k *Kit) observe(set *supervisor.Settings) {
	set.DeadLetters = letterbox{k, set.DeadLetters}
	k.observeOne(&set.Handling)
	for _, h := range set.PerTopic {
		k.observeOne(h)
	}
}

func (k *Kit) observeOne(set *supervisor.Handling) {
	if handler := set.Handler; handler != nil {
		set.Handler = func(ctx context.Context, r *messages.Record) error {
			returned, err := false, error(nil)
			done := k.delivered(r)
			defer func() {
				switch {
				case !returned:
					k.story.addf("the handler of %v panics or exits", r)
				case err != nil:
					k.story.addf("the handler of %v answers: %v", r, err)
				default:
					k.story.addf("the handler of %v is done", r)
				}
				done()
			}()
			err = handler(ctx, r)
			returned = true
			return err
		}
	}
	if producer := set.Producer; producer != nil {
		set.Producer = func() actor.Actor {
			user := producer()
			if user == nil {
				return nil
			}
			seen := observed{k, user}
			if strategy, ok := user.(actor.SupervisorStrategy); ok {
				return &observedStrategy{seen, strategy}
			}
			return &seen
		}
	}
}

// observed is a user's actor.
type observed struct {
	k    *Kit
	user actor.Actor
}

// Receive implements actor.Actor.
func (o *observed) Receive(ctx actor.Context) {
	if r, ok := ctx.Message().(*messages.Record); ok {
		defer o.k.delivered(r)()
	}
	o.user.Receive(ctx)
}

// observedStrategy is one that decides about its own children: protoactor looks for that on the actor.
type observedStrategy struct {
	observed
	actor.SupervisorStrategy
}

// delivered notes an attempt; what it answers is called when the handler has returned, however it did.
func (k *Kit) delivered(r *messages.Record) func() {
	at := place{r.Topic, r.Partition}
	k.mu.Lock()
	var candidates []*Partition
	for _, p := range k.partitions {
		if p.log.place == at && p.mailbox != nil {
			candidates = append(candidates, p)
		}
	}
	k.mu.Unlock()
	var p *Partition
	for _, c := range candidates {
		// The mailbox that has given the record out is the one that would take an answer; if the claim has ended in the
		// same instant, none is, and it was the last one that was opened.
		if p = c; c.mailbox.Stale(r) == nil {
			break
		}
	}
	if p == nil {
		k.fault("%v was delivered before the source was opened", r)
		return func() {}
	}
	incarnation := p.mailbox.Snapshot().Incarnation
	k.mu.Lock()
	defer k.mu.Unlock()
	k.story.addf("%v is delivered, attempt %d, incarnation %d", r, r.Attempt, incarnation)
	p.deliveries = append(p.deliveries, Delivery{r.Offset, r.Attempt, incarnation, time.Since(k.began)})
	for _, other := range candidates {
		if other.running > 0 {
			k.overlaps = append(k.overlaps, overlap{other, p, r.Offset})
		}
	}
	p.running++
	p.last = r
	open.Store(r, k)
	return func() {
		open.Delete(r)
		k.mu.Lock()
		defer k.mu.Unlock()
		if p.running--; p.last == r {
			p.lastAt = time.Now()
		}
	}
}

// noteCommit notes an acknowledgement.
func (k *Kit) noteCommit(c messages.Claim, progress actors.Progress, meta string) {
	p := k.partitionOf(c)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.story.addf("%v commits %d, attempt %d, parked %v%s", c, progress.Next, progress.Attempt, progress.Parked, beyond(progress))
	p.commits = append(p.commits, Commit{progress, meta, time.Since(k.began)})
}

// beyond tells what is finished beyond the offset, if anything is.
func beyond(p actors.Progress) string {
	spans, err := actors.DecodeSpans(p.Next, p.Finished)
	switch {
	case err != nil:
		return ", " + err.Error()
	case len(spans) == 0:
		return ""
	default:
		return fmt.Sprint(", finished beyond it ", spans)
	}
}

// overlap is a delivery beside a handler that was still running.
type overlap struct {
	running, began *Partition
	offset         int64
}

// checkOverlaps fails the test where two handlers ran on one partition at a time. Only a handler that was abandoned, and
// whose claim is over, may run beside a later claim's.
func (k *Kit) checkOverlaps() {
	k.t.Helper()
	abandoned := map[uint64]bool{}
	for _, e := range k.events {
		if a, ok := e.(*messages.Abandoned); ok {
			abandoned[a.Claim.Sequence] = true
		}
	}
	for _, o := range k.overlaps {
		if o.running == o.began || !abandoned[o.running.claim.Sequence] {
			k.t.Errorf("offset %d was delivered to %v while a handler of %v was running", o.offset, o.began.claim, o.running.claim)
		}
	}
}
