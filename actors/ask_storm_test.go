package actors

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// Replies come when the time is over, to the nanosecond, from several goroutines; actors are restarted, records complete
// elsewhere, and in the end the claim is lost. Each question has one Answer at most, to the incarnation that has asked, while
// its record is open, and nothing is left.
func TestAskStorm(t *testing.T) {
	for seed := range uint64(8) {
		bubbleOf(t, fmt.Sprint(seed), func(r *rig) { storming(r, throw(seed)) })
	}
}

// posed is a question of the storm.
type posed struct {
	rec         *messages.Record
	incarnation int
	answers     atomic.Int32
}

func storming(r *rig, d *dice) {
	const second = time.Second
	var replies, timeouts atomic.Int32
	due := map[*messages.Record]int{} // answers; it belongs to the actor's turn
	var elsewhere sync.Map            // the records that another goroutine completes
	slow := actor.PropsFromFunc(func(ctx actor.Context) {
		q, ok := ctx.Message().(*posed)
		if !ok {
			return
		}
		from, sys, n := ctx.Sender(), ctx.ActorSystem(), d.IntN(3)
		for range n { // none, one or two replies
			go func() {
				time.Sleep(second - time.Duration(d.IntN(2)*d.IntN(100))*time.Millisecond)
				sys.Root.Send(from, q)
			}()
		}
	})
	var to *actor.PID
	r.receive = func(ctx actor.Context) {
		switch msg := ctx.Message().(type) {
		case *messages.Record:
			due[msg] = 1 + d.IntN(3)
			for range due[msg] {
				Ask(ctx, msg, to, &posed{rec: msg, incarnation: incarnationOf(ctx)}, second)
			}
		case *messages.Answer:
			_, completed := elsewhere.Load(msg.Record)
			if err := msg.Record.Stale(); err != nil && !completed && !errors.Is(err, messages.ErrLost) {
				r.t.Errorf("an answer about %v: %v", msg.Record, err)
			}
			if due[msg.Record]--; due[msg.Record] < 0 {
				r.t.Errorf("one answer too many about %v", msg.Record)
			}
			if q, ok := msg.Value.(*posed); ok {
				replies.Add(1)
				if q.rec != msg.Record || q.incarnation != incarnationOf(ctx) || q.answers.Add(1) > 1 {
					r.t.Errorf("incarnation %d got an answer of %d about %v", incarnationOf(ctx), q.incarnation, q.rec)
				}
			} else if timeouts.Add(1); !errors.Is(msg.Err, messages.ErrNoReply) {
				r.t.Errorf("%v", msg.Err)
			}
			switch d.IntN(3) {
			case 0:
				msg.Record.Complete(nil)
			case 1:
				elsewhere.Store(msg.Record, true)
				go msg.Record.Complete(nil)
			}
		}
	}
	r.withActor()
	to = r.sys.Root.Spawn(slow)
	r.box.Deliver(r.seek, upTo(0, 199), Extent{HighWater: 200, Next: 200})
	for range 100 {
		time.Sleep(time.Duration(d.IntN(2000)) * time.Millisecond)
		if d.IntN(2) == 0 {
			if p, ok := r.sys.ProcessRegistry.Get(r.child); ok {
				p.SendSystemMessage(r.child, &actor.Restart{})
			}
		}
	}
	time.Sleep(second)
	go r.box.Lose(&messages.Lost{})
	time.Sleep(2 * second)
	r.wantOpen(0)
	if replies.Load() < 10 || timeouts.Load() < 10 || r.committed().Next < 10 {
		r.t.Errorf("%d replies, %d timeouts, committed up to %d: this was no storm", replies.Load(), timeouts.Load(), r.committed().Next)
	}
}
