package supervisor

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// Props are those of a supervisor. Each spawn of them is one consumer.
func Props(set Settings) *actor.Props {
	kin := &lineage{rows: map[string]row{}}
	return actor.PropsFromProducer(func() actor.Actor { return &supervisor{set: &set, kin: kin} },
		actor.WithMailbox(func() actor.Mailbox { return newGate() }))
}

// epochs number the incarnations of all supervisors of the process.
var epochs atomic.Uint64

// supervisor is the actor. All of it belongs to the actor's own turn; goroutines post to it.
type supervisor struct {
	set  *Settings
	kin  *lineage
	ctx  actor.Context
	self *actor.PID
	in   inbox
	log  *slog.Logger

	rejoin  *time.Timer // of the join, after a failure
	link    Link
	budget  *actors.Budget
	breaker *actors.Breaker
	work    sync.WaitGroup // goroutines that post back
	phase   phase
	notice  error
	belongs bool // to the group: a generation was joined, and nothing was lost since

	member     string
	generation int32
	ended      messages.Counters // of claims that are gone

	claims      map[uint64]*claim
	byPID       map[string]*claim
	current     map[partitionID]*claim         // the newest claim of a partition
	waiting     map[partitionID]messages.Claim // claims whose predecessor has not ended
	pauses      pauses
	subscribers map[string]*actor.PID // by address and name

	watching *time.Timer // for what is stuck
	stop     stopState
}

type partitionID struct {
	topic     string
	partition int32
}

func idOf(c messages.Claim) partitionID { return partitionID{c.Topic, c.Partition} }

type phase uint8

const (
	running phase = iota
	draining
	stopped
)

// Receive is the actor's. A panic of our own must not leave claims without an owner: it drains the consumer.
func (s *supervisor) Receive(ctx actor.Context) {
	s.ctx = ctx
	defer func() {
		if r := recover(); r != nil {
			s.crashed(r, debug.Stack())
		}
	}()
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		s.started(ctx)
	case *actor.Stopping:
		s.kill() // the group has been left; or protoactor acts over our head, and nothing may stay behind
	case *actor.Stopped:
		s.kin.over(s.self)
	case *actor.Restarting:
		s.kill()
		for _, who := range s.subscribers { // the next incarnation has the same PID: who listens to it goes on listening
			ctx.RequestWithCustomSender(s.self, &messages.Subscribe{}, who)
		}
	case *told:
		if msg.epoch == s.in.epoch {
			msg.do()
		}
	case *actor.Terminated:
		s.terminated(msg.Who)
	case *leaveRequest:
		if !msg.void.Load() {
			s.drain(0)
		}
	case *messages.Drain:
		s.drain(msg.Timeout)
	case *messages.Stop:
		s.stopNow()
	case *messages.Kill:
		s.kill()
	case *messages.GetStatus:
		ctx.Respond(s.status())
	case *messages.Subscribe:
		if who := ctx.Sender(); who != nil {
			s.subscribers[who.String()] = who
			ctx.Watch(who)
		}
	case messages.Command:
		s.command(msg)
	case *messages.Forward:
		s.forward(msg)
	}
}

func (s *supervisor) started(ctx actor.Context) {
	s.prepare(ctx)
	link, err := s.set.Connect(s.in)
	if err != nil {
		s.end(fmt.Errorf("ottla: cannot start: %w", err))
		return
	}
	s.link = link
	s.join()
}

// prepare makes what an incarnation needs to say that it cannot start.
func (s *supervisor) prepare(ctx actor.Context) {
	s.self = ctx.Self()
	s.log = s.set.Logger.With(slog.String("group", s.set.Group))
	s.budget = actors.NewBudget(s.set.TotalBytes)
	s.claims, s.byPID = map[uint64]*claim{}, map[string]*claim{}
	s.current, s.waiting = map[partitionID]*claim{}, map[partitionID]messages.Claim{}
	s.subscribers = map[string]*actor.PID{}
	s.pauses = pauses{}
	s.in = inbox{s, ctx.ActorSystem(), s.self, epochs.Add(1)}
	s.breaker = s.newBreaker()
}

// fell is crashed, for what has struck outside of Receive: also before it has ever been called.
func (s *supervisor) fell(ctx actor.Context, reason any, stack []byte) {
	if s.ctx == nil {
		s.ctx = ctx
	}
	if s.self == nil {
		s.prepare(ctx)
	}
	s.crashed(reason, stack)
}

// crashed is for faults of our own code, which tests have not found, and of the application's that runs in our turn. What was
// begun may have been left in the middle, or an answer be lost that something waits for: that of a flush, or of the leave. So a
// drain is begun, or goes on, but for a time only: then, and at once where there is nothing more to leave, a kill ends what is
// left.
func (s *supervisor) crashed(reason any, stack []byte) {
	err := fmt.Errorf("ottla: the supervisor failed: %v", reason)
	if s.log != nil {
		s.log.Error("the supervisor failed; the consumer drains", slog.Any("error", err), slog.String("stack", string(stack)))
	}
	if s.stop.err == nil {
		s.stop.err = err
	}
	again := s.stop.crashed
	s.stop.crashed = true
	switch {
	case s.phase == stopped:
		s.closeAgain()
	case s.link.Membership == nil: // it was never connected
		s.end(nil)
	case again || s.stop.left || !s.attempt(func() { s.drain(0) }):
		s.kill()
	default:
		s.after(&s.stop.last, s.set.DrainTimeout+s.leaving(), s.kill)
	}
}

// attempt runs what must not keep the rest from running, and answers whether it has returned.
func (s *supervisor) attempt(do func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil && s.log != nil {
			s.log.Error("the supervisor failed", slog.Any("error", r), slog.String("stack", string(debug.Stack())))
		}
	}()
	do()
	return true
}

// fallen is what recover has answered, to a function that did not return.
func fallen(reason any) any {
	if reason == nil {
		return messages.Goexit
	}
	return reason
}

// background runs a blocking piece of work and posts what it answers.
func (s *supervisor) background(work func() (then func())) {
	in := s.in
	s.work.Go(func() {
		returned := false
		defer func() {
			if !returned {
				reason, stack := fallen(recover()), debug.Stack()
				in.post(func() { s.crashed(reason, stack) })
			}
		}()
		if then := work(); then != nil {
			in.post(then)
		}
		returned = true
	})
}

func (s *supervisor) joined(member string, generation int32) {
	s.member, s.generation, s.belongs = member, generation, true
	s.log.Info("member of the group", slog.String("member", member), slog.Int("generation", int(generation)))
}

func (s *supervisor) noticed(err error) {
	if s.notice = err; err != nil {
		s.log.Warn("the consumer waits", slog.Any("error", err))
	}
}
