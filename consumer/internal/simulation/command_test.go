package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// stands is what an operator was answered of a partition, and when: it is paused, or its record at offset is parked. It is
// the ledger's, under its lock.
type stands struct {
	since  time.Time
	offset int64
}

// disturbCommand has an operator park a head, or pause a topic or one partition of it for a while, at one process.
func (s *schedule) disturbCommand(r *rand.Rand, one func(*world) *process) {
	nth, after := r.IntN(1<<16), time.Duration(r.IntN(2000))*time.Millisecond
	if r.IntN(2) == 0 {
		s.add(r, fmt.Sprintf("an operator looks at a head, and %v later has it parked", after), func(w *world) {
			if p := one(w); p != nil {
				w.disturbances.Go(func() { w.park(p, nth, after) })
			}
		})
		return
	}
	var partitions []int32
	if r.IntN(3) > 0 {
		partitions = []int32{int32(nth % s.partitions)}
	}
	long := time.Duration(r.IntN(40_000)) * time.Millisecond
	s.add(r, fmt.Sprintf("an operator pauses %v, and resumes it %v later", partitions, long), func(w *world) {
		if p := one(w); p != nil {
			w.later(0, func() { w.pause(p, partitions, long) })
		}
	})
}

// command gives one, and answers what came of it.
func (w *world) command(p *process, cmd messages.Command) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := consumer.NewRef(w.sys, p.pid).Do(ctx, cmd)
	w.ledger.note("the operator tells %s %T %+v: %v", p.name, cmd, cmd, err)
	return err
}

// park has the head that an operator has seen parked.
func (w *world) park(p *process, nth int, after time.Duration) {
	all := w.look(p)
	if len(all) == 0 {
		return
	}
	s := all[nth%len(all)]
	time.Sleep(after) // in the schedule's bubble
	head := messages.Head{Topic: topic, Partition: s.Claim.Partition, Offset: s.Head}
	w.ledger.mu.Lock()
	claim := p.seenOf(head.Partition)
	alone, before := claim.orders == 0, claim.ordered
	w.ledger.mu.Unlock()
	if w.command(p, &messages.ParkHead{Head: head, By: "operator"}) == nil {
		w.ledger.mu.Lock()
		defer w.ledger.mu.Unlock()
		w.ledger.counts.parks++
		if alone && claim.ordered == before { // else another order may have ended it already
			claim.held = &stands{time.Now(), head.Offset}
		}
	}
}

// pause stops partitions of a process, nil: all, and has them go on after a while.
func (w *world) pause(p *process, partitions []int32, long time.Duration) {
	l := w.ledger
	l.mu.Lock()
	alone := p.pausing == 0
	p.pausing++
	p.pausings++
	mine := p.pausings
	l.mu.Unlock()
	paused := w.command(p, &messages.Pause{Topic: topic, Partitions: partitions, By: "operator"}) == nil
	l.mu.Lock()
	if paused && alone && p.pausings == mine { // else somebody else may have resumed it already
		l.counts.pausings++
		for n := range int32(w.partitions) {
			if partitions == nil || slices.Contains(partitions, n) {
				p.paused[n] = stands{since: time.Now()}
			}
		}
	}
	l.mu.Unlock()
	time.Sleep(long) // in the schedule's bubble
	l.mu.Lock()
	clear(p.paused)
	l.mu.Unlock()
	for slices.Contains(w.living(), p) && w.command(p, &messages.Resume{Topic: topic, Partitions: partitions, By: "operator"}) != nil {
		time.Sleep(time.Second) // in the schedule's bubble
	}
	l.mu.Lock()
	p.pausing--
	l.mu.Unlock()
}

// stood says why nothing, or not this record, was to be handled; "": it was. A handler that was called before the command was
// carried out may come to the ledger in the same instant, or after a SIGSTOP. It needs the ledger's lock.
func (p *process) stood(r *messages.Record) string {
	after := func(s stands) bool { return time.Now().After(s.since) && !p.gate.since(s.since) }
	if s, ok := p.paused[r.Partition]; ok && after(s) {
		return ", and the partition is paused"
	}
	if s := p.seenOf(r.Partition); s.held != nil && s.orders == 0 && s.held.offset == r.Offset && s.fence == r.Fence && after(*s.held) {
		return ", which an operator has parked"
	}
	return ""
}
