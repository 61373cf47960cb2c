package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/examples/internal/demo"
	"github.com/ottla-go/ottla/messages"
)

// office is what the actors share, and where it is counted what they have seen. It is safe for concurrent use.
type office struct {
	sys   *actor.ActorSystem
	topic string
	tally *demo.Tally

	mu    sync.Mutex
	count map[string]int
	met   map[int]*actor.PID // who has asked about a payment first
}

// hire starts a checker, unless there is one. Its PID is its name, so that the tills need not be told.
func (o *office) hire() *actor.PID {
	pid, err := o.sys.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return &checker{o} }), "fraud")
	if err == nil {
		o.note("checkers")
	}
	return pid
}

// ask notes who asks about a payment, and answers who did so before.
func (o *office) ask(payment int, asks *actor.PID) (before *actor.PID, again bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, again = o.met[payment]
	o.met[payment] = asks
	return before, again
}

// see tells what failures the policy was asked about, and hires a checker when there is none.
func (o *office) see(e messages.Event) {
	f, ok := e.(*messages.Failed)
	if !ok {
		return
	}
	o.tally.Decided(f.Decision)
	fmt.Printf("%s failed: %v: %v\n", f.Failure.Where(), f.Failure.Err, f.Decision.Action)
	switch {
	case errors.Is(f.Failure.Err, messages.ErrNoActor):
		o.note("no_actor")
		o.hire()
	case errors.Is(f.Failure.Err, messages.ErrNoReply):
		o.note("no_reply")
	case f.Decision.Action == messages.ActionRestart:
		o.note("till_restarted")
	}
}

// deadLetter counts the verdicts that nobody waits for any more.
func (o *office) deadLetter(event any) {
	if d, ok := event.(*actor.DeadLetterEvent); ok {
		if _, ok := d.Message.(*verdict); ok {
			o.note("late")
		}
	}
}

// askTills asks all tills again and again whether a payment is open, and counts those who say yes.
func (o *office) askTills(ctx context.Context, bookkeeping *actor.PID) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for p := range int32(partitions) {
			question := &messages.Forward{Topic: o.topic, Partition: p, Message: &busy{}}
			if open, err := o.sys.Root.RequestFuture(bookkeeping, question, time.Second).Result(); err == nil && open == true {
				o.note("asked_meanwhile")
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// once is true the first time that when is.
func (o *office) once(when bool, what string) bool {
	if !when {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count[what]++
	return o.count[what] == 1
}

func (o *office) note(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count[what]++
}

func (o *office) summary() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var line strings.Builder
	line.WriteString("answers:")
	for _, what := range []string{
		"booked", "refused", "no_reply", "no_actor", "late", "till_restarted", "checker_restarted", "checkers", "asked_meanwhile", "overlaps", "strangers",
	} {
		fmt.Fprintf(&line, " %s=%d", what, o.count[what])
	}
	return line.String()
}
