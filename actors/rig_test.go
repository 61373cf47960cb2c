package actors

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// rig is one claim in a bubble: a real actor system, a supervisor that decides as the test says, a partition actor
// on a Mailbox, and a committer and a source that only write down what they are told.
type rig struct {
	t   *testing.T
	set Settings // changed before start
	sys *actor.ActorSystem
	box *Mailbox

	boss  *actor.PID
	child *actor.PID
	seek  uint64

	handle  func(context.Context, *messages.Record) error // what the handler does; nil: nothing
	receive func(actor.Context)                           // what the user's actor does; nil: completes each record
	produce func(n int) actor.Actor                       // how the user's actor is made; nil: a probe
	verdict func(*asked)                                  // what the supervisor does; nil: retries at once

	mu      sync.Mutex
	log     []string
	notes   []*note
	faults  []*asked
	reports []Report
	seeks   []seekTo
	wakes   int
	made    int
	hold    bool // commits are not acknowledged until the test says so
}

// note is a commit that the mailbox asked for.
type note struct {
	Progress

	urgent bool
	done   func(error)
}

type seekTo struct {
	offset int64
	seek   uint64
}

// bubble runs a test on a rig in virtual time.
func bubble(t *testing.T, test func(r *rig)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		test(r)
		r.end()
	})
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return &rig{t: t, set: Settings{
		Claim:   messages.Claim{Group: "g", Topic: "orders", Partition: 3, Sequence: 17},
		Context: context.Background(), Records: 1000, Bytes: 1 << 20, Budget: NewBudget(64 << 20),
	}}
}

// withHandler starts a claim with the plain handler, open at offset 0.
func (r *rig) withHandler() {
	r.set.Handler = func(ctx context.Context, rec *messages.Record) error {
		r.say("%d/%d", rec.Offset, rec.Attempt)
		if r.handle == nil {
			return nil
		}
		return r.handle(ctx, rec)
	}
	r.spawn()
	r.open()
}

// withActor starts a claim with an actor of the user's, open at offset 0.
func (r *rig) withActor() {
	r.ofActor()
	r.spawn()
	r.open()
}

func (r *rig) ofActor() {
	r.set.Producer = func() actor.Actor {
		r.mu.Lock()
		r.made++
		n := r.made
		r.mu.Unlock()
		if r.produce != nil {
			return r.produce(n)
		}
		return &probe{r, n}
	}
}

// spawn makes the mailbox and its actor, before the start of the claim is known.
func (r *rig) spawn() {
	r.set.Commit = func(p Progress, urgent bool, done func(error)) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.notes = append(r.notes, &note{p, urgent, done})
		if !r.hold {
			go done(nil)
		}
	}
	r.set.Wake = func() { r.locked(func() { r.wakes++ }) }
	r.set.Tell = func(report Report) { r.locked(func() { r.reports = append(r.reports, report) }) }
	if r.set.Seek != nil {
		r.set.Seek = func(offset int64, seek uint64) {
			r.locked(func() { r.seeks = append(r.seeks, seekTo{offset, seek}); r.seek = seek })
		}
	}
	quiet := slog.New(slog.DiscardHandler)
	r.sys = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }))
	r.box = NewMailbox(r.set)
	r.boss = r.sys.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return &boss{r} }))
	synctest.Wait()
}

func (r *rig) open() {
	r.seek = r.box.Open(0, 7, Progress{})
	synctest.Wait()
}

// end stops what is left. A dead letter starts a goroutine that counts for a second: it ends before the bubble does.
func (r *rig) end() {
	if r.sys == nil {
		return
	}
	r.sys.Root.Stop(r.boss)
	synctest.Wait()
	r.box.Close()
	time.Sleep(2 * time.Second)
}

func (r *rig) locked(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
}

func (r *rig) say(format string, args ...any) {
	r.locked(func() { r.log = append(r.log, fmt.Sprintf(format, args...)) })
}

// dice are thrown by several goroutines.
type dice struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func throw(seed uint64) *dice { return &dice{rnd: rand.New(rand.NewPCG(seed, 3))} }

func (d *dice) IntN(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.IntN(n)
}

// deliver is the source's: records with these offsets.
func (r *rig) deliver(offsets ...int64) {
	r.box.Deliver(r.seek, from(offsets...), Extent{HighWater: 1000, Next: offsets[len(offsets)-1] + 1})
	synctest.Wait()
}

// send posts a message to the partition actor.
func (r *rig) send(message any) {
	r.sys.Root.Send(r.child, message)
	synctest.Wait()
}

// system posts a system message to the partition actor.
func (r *rig) system(message any) {
	if p, ok := r.sys.ProcessRegistry.Get(r.child); ok {
		p.SendSystemMessage(r.child, message)
	}
	synctest.Wait()
}

func (r *rig) respawn() {
	r.sys.Root.Send(r.boss, "respawn")
	synctest.Wait()
}

// said checks what happened to the handler or the actor since the last time, in order.
func (r *rig) said(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	got := r.log
	r.log = nil
	r.mu.Unlock()
	if !slices.Equal(got, want) {
		r.t.Errorf("happened: %s\n    want: %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// committed is the last note's offset; -1: there was none.
func (r *rig) committed() Progress {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.notes) == 0 {
		return Progress{Next: -1}
	}
	return r.notes[len(r.notes)-1].Progress
}

func (r *rig) wantCommitted(next int64) {
	r.t.Helper()
	if got := r.committed(); got.Next != next {
		r.t.Errorf("the last commit notes %d, want %d", got.Next, next)
	}
}

// asked is a fault that the supervisor was asked about.
type asked struct {
	r               *rig
	fault           *Fault
	reason, message any
	sup             actor.Supervisor
}

func (r *rig) wantFaults(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	var got []string
	for _, a := range r.faults {
		got = append(got, a.String())
	}
	r.faults = nil
	r.mu.Unlock()
	if !slices.Equal(got, want) {
		r.t.Errorf("faults: %s\n  want: %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// String is the fault's class, and which attempt it was.
func (a *asked) String() string {
	switch f := a.fault; {
	case f == nil:
		return "none"
	case f.Record != nil:
		return fmt.Sprintf("%v %d/%d", f.Class, f.Record.Offset, f.Record.Attempt)
	case f.Greet:
		return fmt.Sprintf("%v greeting", f.Class)
	default:
		return f.Class.String()
	}
}

func (a *asked) judge(d messages.Decision) {
	f := messages.Failure{Topic: "orders", Partition: 3, Offset: -1, Class: a.fault.Class, Err: a.fault.Err}
	if a.fault.Record != nil {
		f.Offset, f.Attempt, f.Key = a.fault.Record.Offset, a.fault.Record.Attempt, a.fault.Record.Key
	}
	if !a.r.box.Judge(a.fault, f, d) {
		a.r.say("verdict refused")
	}
}

func (a *asked) resume()  { a.sup.ResumeChildren(a.r.child) }
func (a *asked) restart() { a.sup.RestartChildren(a.r.child) }

func retry(d time.Duration) func(*asked) {
	return func(a *asked) { a.judge(messages.Decision{Action: messages.ActionRetry, Delay: d}); a.resume() }
}

func restart(d time.Duration) func(*asked) {
	return func(a *asked) { a.judge(messages.Decision{Action: messages.ActionRestart, Delay: d}); a.restart() }
}

func skip(a *asked) { a.judge(messages.Decision{Action: messages.ActionSkip}); a.resume() }

func park(a *asked) {
	a.judge(messages.Decision{Action: messages.ActionPark, Reason: "why"})
	a.resume()
}

func wait(*asked) {}

// last is the newest fault.
func (r *rig) last() *asked {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) == 0 {
		r.t.Fatal("the supervisor was not asked")
	}
	return r.faults[len(r.faults)-1]
}

// boss is the supervisor.
type boss struct{ r *rig }

func (b *boss) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		b.r.child, _ = ctx.SpawnNamed(Props(b.r.box), "orders-3-17")
	case *actor.Terminated:
		b.r.say("terminated")
	case string:
		if msg == "respawn" {
			b.r.child, _ = ctx.SpawnNamed(Props(b.r.box), "orders-3-17-2")
		}
	}
}

func (b *boss) HandleFailure(_ *actor.ActorSystem, sup actor.Supervisor, _ *actor.PID, _ *actor.RestartStatistics, reason, message any) {
	a := &asked{b.r, b.r.box.Fault(), reason, message, sup}
	b.r.locked(func() { b.r.faults = append(b.r.faults, a) })
	if b.r.verdict == nil {
		b.r.verdict = retry(0)
	}
	b.r.verdict(a)
}

// probe is the user's actor.
type probe struct {
	r *rig
	n int
}

func (p *probe) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		p.r.say("%d started", p.n)
	case *actor.Stopping:
		p.r.say("%d stopping", p.n)
	case *actor.Stopped:
		p.r.say("%d stopped", p.n)
	case *actor.Restarting:
		p.r.say("%d restarting", p.n)
	case *actor.Terminated:
		p.r.say("%d terminated", p.n)
	case *messages.Assigned:
		p.r.say("%d assigned at %d", msg.Incarnation, msg.Next)
	case *messages.Revoked:
		p.r.say("%d revoked", p.n)
	case *messages.Lost:
		p.r.say("%d lost", p.n)
	case *messages.Record:
		p.r.say("%d: %d/%d", p.n, msg.Offset, msg.Attempt)
	case string:
		p.r.say("%d %s", p.n, msg)
	}
	if p.r.receive != nil {
		p.r.receive(ctx)
	} else if rec, ok := ctx.Message().(*messages.Record); ok {
		rec.Complete(nil)
	}
}
