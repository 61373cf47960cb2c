package actors

import (
	"context"
	"errors"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// hangs is where a handler of these tests waits: its name is looked for in stacks.
//
//go:noinline
func hangs(until <-chan struct{}) { <-until }

// deeper calls itself before it waits.
//
//go:noinline
func deeper(n int, until <-chan struct{}) {
	if n > 0 {
		deeper(n-1, until)
		return
	}
	hangs(until)
}

func (r *rig) wantStuck(want Stuck) {
	r.t.Helper()
	synctest.Wait()
	got, ok := r.box.Stuck()
	if state := r.box.Snapshot().State; got != want || ok != (want != Stuck{}) || ok != (state == messages.StateStuck) {
		r.t.Errorf("stuck %v: %+v, state %v\n want %+v", ok, got, state, want)
	}
}

// An attempt is stuck when it is StuckAfter old since somebody has looked; each attempt has its own time.
func TestStuckAttempt(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.StuckAfter = time.Minute
		until := make(chan struct{})
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Offset == 1 && rec.Attempt == 0 {
				<-until
				return errors.New("no")
			}
			time.Sleep(40 * time.Second)
			return nil
		}
		r.withHandler()
		r.deliver(0, 1)
		r.wantStuck(Stuck{})
		time.Sleep(40 * time.Second)
		synctest.Wait()
		r.wantStuck(Stuck{})
		began := time.Now()
		time.Sleep(time.Minute - time.Nanosecond)
		r.wantStuck(Stuck{})
		time.Sleep(time.Nanosecond)
		r.wantStuck(Stuck{Offset: 1, Since: began})
		if s := r.box.Snapshot(); !s.OpenSince.Equal(began) || s.Head != 1 {
			t.Errorf("%+v", s)
		}
		close(until) // it is delivered again at once
		time.Sleep(30 * time.Second)
		r.wantStuck(Stuck{})
		time.Sleep(10 * time.Second)
		r.wantCommitted(2)
	})
}

// Nobody is called stuck without a limit; while a claim ends; nor while a commit, a hold or a park is waited for.
func TestStuckIsForUserCode(t *testing.T) {
	t.Run("without a limit", func(t *testing.T) {
		bubble(t, func(r *rig) {
			until := make(chan struct{})
			r.handle = func(context.Context, *messages.Record) error { hangs(until); return nil }
			r.withHandler()
			r.deliver(0)
			r.wantStuck(Stuck{})
			time.Sleep(1000 * time.Hour)
			r.wantStuck(Stuck{})
			close(until)
		})
	})
	t.Run("while the claim ends", func(t *testing.T) {
		bubble(t, func(r *rig) {
			r.set.StuckAfter = time.Minute
			until := make(chan struct{})
			r.handle = func(context.Context, *messages.Record) error { hangs(until); return nil }
			r.withHandler()
			r.deliver(0)
			r.wantStuck(Stuck{})
			r.box.Revoke(&messages.Revoked{})
			time.Sleep(time.Hour)
			r.wantStuck(Stuck{})
			close(until)
		})
	})
	for name, set := range map[string]func(*rig){
		"commit": func(r *rig) { r.set.Each, r.hold = true, true },
		"hold":   func(r *rig) { r.verdict = retry(10 * time.Hour) },
		"park":   func(r *rig) { r.verdict = park },
		"fault":  func(r *rig) { r.verdict = wait },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.set.StuckAfter = time.Minute
				set(r)
				r.handle = func(context.Context, *messages.Record) error {
					if name == "commit" {
						return nil
					}
					return errors.New("no")
				}
				r.withHandler()
				r.deliver(0, 1)
				r.wantStuck(Stuck{})
				time.Sleep(time.Hour)
				r.wantStuck(Stuck{})
			})
		})
	}
}

// A kept record is stuck, too, and is told apart; what an actor does at other messages meanwhile is not.
func TestStuckKeptRecord(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.StuckAfter = time.Minute
		var kept *messages.Record
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				kept = rec
				rec.Keep()
			}
		}
		r.withActor()
		r.deliver(0)
		r.wantStuck(Stuck{})
		began := time.Now()
		for range 6 {
			time.Sleep(10 * time.Second)
			r.send("hello")
		}
		r.wantStuck(Stuck{Kept: true, Since: began})
		if stack := Stacks(r.box); len(stack) > 0 {
			t.Errorf("nobody runs, and is at\n%s", stack[r.box])
		}
		kept.Complete(nil)
		r.wantStuck(Stuck{})
	})
}

// So is an actor that does not return from a message of its own, from Assigned, or in Started.
func TestStuckActor(t *testing.T) {
	for name, at := range map[string]func(any) bool{
		"message":  func(m any) bool { s, ok := m.(string); return ok && s == "hang" },
		"assigned": func(m any) bool { _, ok := m.(*messages.Assigned); return ok },
		"started":  func(m any) bool { _, ok := m.(*actor.Started); return ok },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.set.StuckAfter = time.Minute
				until := make(chan struct{})
				r.receive = func(ctx actor.Context) {
					if at(ctx.Message()) {
						hangs(until)
					}
				}
				r.withActor()
				r.send("a")
				r.send("hang")
				r.wantStuck(Stuck{})
				began := time.Now()
				time.Sleep(time.Minute)
				r.wantStuck(Stuck{Offset: -1, Since: began})
				if stack := Stacks(r.box)[r.box]; !strings.Contains(stack, "actors.hangs") {
					t.Errorf("the stack:\n%s", stack)
				}
				close(until)
				r.wantStuck(Stuck{})
			})
		})
	}
}

// An actor that is busy with many messages is stuck at none of them.
func TestStuckIsForOneMessage(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.StuckAfter = time.Minute
		r.receive = func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				time.Sleep(40 * time.Second)
			}
		}
		r.withActor()
		for range 10 {
			r.sys.Root.Send(r.child, "a")
		}
		for range 40 {
			time.Sleep(10 * time.Second)
			r.wantStuck(Stuck{})
		}
	})
}

// The stack is that of the handler's own goroutine: not of one that it has started, nor of another mailbox's. Labels that
// the handler sets do not hide it.
func TestStacks(t *testing.T) {
	until := make(chan struct{})
	var group sync.WaitGroup
	boxes := map[string]*Mailbox{}
	for name, handler := range map[string]func(ctx context.Context, rec *messages.Record) error{
		"hangs": func(context.Context, *messages.Record) error {
			group.Go(func() { <-until })
			hangs(until)
			return nil
		},
		"deep": func(context.Context, *messages.Record) error { deeper(90, until); return nil },
		"labels": func(ctx context.Context, _ *messages.Record) error {
			pprof.Do(ctx, pprof.Labels("a", "b"), func(context.Context) {})
			pprof.Do(ctx, pprof.Labels("a", "b"), func(context.Context) { hangs(until) })
			return nil
		},
		"idle": func(context.Context, *messages.Record) error { return nil },
	} {
		r := newRig(t)
		r.handle = handler
		began := make(chan struct{})
		r.set.Handler = func(ctx context.Context, rec *messages.Record) error {
			close(began)
			return handler(ctx, rec)
		}
		r.set.Commit = func(Progress, bool, func(error)) {}
		r.set.Wake, r.set.Tell = func() {}, func(Report) {}
		r.sys = benchSystem()
		r.box = NewMailbox(r.set)
		r.child = r.sys.Root.Spawn(Props(r.box))
		r.box.Deliver(r.box.Open(0, 0, Progress{}), from(0), Extent{})
		<-began
		boxes[name] = r.box
		t.Cleanup(func() { _ = r.sys.Root.StopFuture(r.child).Wait() })
	}
	defer group.Wait()
	defer close(until)
	stacks := func() map[*Mailbox]string {
		return Stacks(boxes["hangs"], boxes["deep"], boxes["labels"], boxes["idle"])
	}
	var found map[*Mailbox]string
	for range 1000 { // real time: a handler that has begun comes to where it hangs, and an idle mailbox to its end
		if found = stacks(); strings.HasPrefix(found[boxes["hangs"]], "github.com/ottla-go/ottla/actors.hangs") &&
			strings.HasPrefix(found[boxes["deep"]], "github.com/ottla-go/ottla/actors.hangs") &&
			strings.HasPrefix(found[boxes["labels"]], "github.com/ottla-go/ottla/actors.hangs") && len(found) == 3 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for name, want := range map[string]int{"hangs": 1, "deep": 1, "labels": 1, "idle": 0} {
		stack := found[boxes[name]]
		if n := strings.Count(stack, "actors.hangs\n"); n != want {
			t.Errorf("%s: %d times in\n%s", name, n, stack)
		}
		if len(stack) > stackMax+100 || strings.Contains(stack, "protoactor") || want > 0 && !strings.Contains(stack, "stuck_test.go:") {
			t.Errorf("%s: %d bytes:\n%s", name, len(stack), stack)
		}
	}
	if n := strings.Count(found[boxes["deep"]], "actors.deeper\n"); n < 50 {
		t.Errorf("%d calls of deeper", n)
	}
	if first := Stacks(boxes["hangs"]); len(first) != 1 {
		t.Errorf("asked for one: %d", len(first))
	}
}

// A kept record is not stuck when it has been completed: what keeps the partition then is the failure of its actor.
func TestStuckIsNotCompleted(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.StuckAfter = time.Minute
		var kept *messages.Record
		r.verdict = wait // for longer than that: the policy has the actor wait
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *messages.Record:
				msg.Keep()
				kept = msg
			case string:
				panic(msg)
			}
		}
		r.withActor()
		r.deliver(0)
		r.send("panic")
		r.wantStuck(Stuck{})
		began := time.Now()
		time.Sleep(time.Minute)
		r.wantStuck(Stuck{Kept: true, Since: began})
		kept.Complete(errors.New("no"))
		r.wantStuck(Stuck{})
		time.Sleep(time.Hour)
		r.wantStuck(Stuck{})
		if s := r.box.Snapshot(); s.State != messages.StateBusy || !s.OpenSince.IsZero() {
			t.Errorf("%v since %v", s.State, s.OpenSince)
		}
	})
}

// Where nothing runs, there is no stack to look for.
func TestStacksOfNone(t *testing.T) {
	if n := testing.AllocsPerRun(10, func() { Stacks() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
