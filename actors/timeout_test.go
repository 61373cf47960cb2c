package actors

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// What an answer counts for that comes a second before the time is over, and a second after.
func TestTimeoutOutcomes(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		answer error
		panics bool
		want   []string // after the time; before it, it is what it is
		before []string
	}{
		"success":           {answer: nil},
		"an error":          {answer: boom, want: []string{"Timeout 0/0"}, before: []string{"Handler 0/0"}},
		"a hint":            {answer: messages.RetryAfter(time.Second, boom), want: []string{"Timeout 0/0"}, before: []string{"Handler 0/0"}},
		"a panic":           {answer: boom, panics: true, want: []string{"Panic 0/0"}, before: []string{"Panic 0/0"}},
		"no decoding":       {answer: &messages.DecodeError{Err: boom}, want: []string{"Decode 0/0"}, before: []string{"Decode 0/0"}},
		"a newer fence":     {answer: messages.ErrFenced, want: []string{"Fenced 0/0"}, before: []string{"Fenced 0/0"}},
		"a seek, storeless": {answer: messages.SeekTo(7), want: []string{"Seek 0/0"}, before: []string{"Seek 0/0"}},
	} {
		for when, takes := range map[string]time.Duration{"before": 59 * time.Second, "after": 61 * time.Second} {
			t.Run(name+" "+when, func(t *testing.T) {
				bubble(t, func(r *rig) {
					r.set.HandlerTimeout = time.Minute
					r.verdict = skip
					r.handle = func(context.Context, *messages.Record) error {
						time.Sleep(takes)
						if c.panics {
							panic(c.answer)
						}
						return c.answer
					}
					r.withHandler()
					r.deliver(0)
					time.Sleep(2 * time.Minute)
					want := c.before
					if when == "after" {
						want = c.want
					}
					if when == "after" && len(want) > 0 && want[0] == "Timeout 0/0" {
						f := r.last().fault
						if !errors.Is(f.Err, messages.ErrTimeout) || !errors.Is(f.Err, boom) ||
							f.Err.Error() != "ottla: the attempt took too long (HandlerTimeout 1m0s): boom" {
							t.Errorf("the error: %v", f.Err)
						}
					}
					r.wantFaults(want...)
					r.wantCommitted(1)
				})
			})
		}
	}
}

// The context ends at the deadline that it names, with the cause; what follows waits until the handler has returned.
func TestTimeoutWaitsForTheHandler(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.HandlerTimeout = time.Minute
		r.handle = func(ctx context.Context, rec *messages.Record) error {
			if rec.Attempt > 0 || rec.Offset > 0 {
				return nil
			}
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != time.Minute {
				t.Errorf("deadline in %v, %v", time.Until(deadline), ok)
			}
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(ctx), messages.ErrTimeout) {
				t.Errorf("the context ended with %v, cause %v", ctx.Err(), context.Cause(ctx))
			}
			if err := rec.Stale(); err != nil { // success would count
				t.Errorf("stale: %v", err)
			}
			time.Sleep(time.Hour)
			return context.Cause(ctx)
		}
		r.withHandler()
		r.deliver(0, 1)
		time.Sleep(time.Minute + time.Hour - time.Second)
		r.said("0/0")
		r.wantFaults()
		time.Sleep(time.Second)
		if err := r.last().fault.Err; err.Error() != "ottla: the attempt took too long (HandlerTimeout 1m0s)" {
			t.Errorf("the error: %v", err)
		}
		r.wantFaults("Timeout 0/0")
		r.said("0/1", "1/0")
		r.wantCommitted(2)
	})
}

// Each attempt has its own time, and none when it is over: contexts of what was answered do not end with ErrTimeout.
func TestTimeoutIsPerAttempt(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.HandlerTimeout = time.Minute
		var contexts []context.Context
		r.handle = func(ctx context.Context, _ *messages.Record) error {
			contexts = append(contexts, ctx)
			time.Sleep(50 * time.Second)
			return context.Cause(ctx)
		}
		r.withHandler()
		r.deliver(0, 1, 2)
		time.Sleep(time.Hour)
		r.wantFaults()
		r.said("0/0", "1/0", "2/0")
		for i, ctx := range contexts {
			if !errors.Is(context.Cause(ctx), messages.ErrAnswered) {
				t.Errorf("attempt %d: the context ended with %v", i, context.Cause(ctx))
			}
		}
	})
}

// A kept record is failed when its time is over, though nobody runs that could return; who completes it later is told.
func TestTimeoutOfAKeptRecord(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.HandlerTimeout = time.Minute
		var kept []*messages.Record
		receives := time.Second
		r.receive = func(ctx actor.Context) {
			rec, ok := ctx.Message().(*messages.Record)
			if !ok {
				return
			}
			if rec.Attempt == 2 {
				rec.Complete(nil)
				return
			}
			rec.Keep()
			rec.Keep()
			kept = append(kept, rec)
			time.Sleep(receives)
			receives = 2 * time.Minute // of the second attempt
		}
		r.withActor()
		r.said("1 started", "1 assigned at 0")
		r.deliver(0)
		time.Sleep(59 * time.Second)
		r.wantFaults()
		time.Sleep(time.Second)
		r.wantFaults("Timeout 0/0")
		r.said("1: 0/0", "1: 0/1")
		if kept[0].Complete(nil) || !errors.Is(kept[0].Stale(), messages.ErrTimeout) {
			t.Errorf("completed after its time: stale with %v", kept[0].Stale())
		}
		time.Sleep(119 * time.Second) // Receive still runs
		r.wantFaults()
		time.Sleep(time.Second)
		r.wantFaults("Timeout 0/1")
		r.said("1: 0/2")
		r.wantCommitted(1)
	})
}

// What is completed in time stays so, however long Receive takes to return; an error that comes late is a timeout.
func TestTimeoutAfterTheAnswer(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.HandlerTimeout = time.Minute
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				switch rec.Offset {
				case 0:
					rec.Complete(errors.New("in time"))
				case 1:
					rec.Complete(nil)
				case 2:
					time.Sleep(61 * time.Second)
					rec.Complete(errors.New("late"))
				}
				time.Sleep(2 * time.Minute)
			}
		}
		r.verdict = skip
		r.withActor()
		r.deliver(0, 1, 2)
		time.Sleep(time.Hour)
		r.wantFaults("Handler 0/0", "Timeout 2/0")
		r.wantCommitted(3)
	})
}

// An error that comes in time stays what it is while the supervisor is busy with another fault, however long.
func TestTimeoutDoesNotTouchWhatWaits(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.HandlerTimeout = time.Minute
		var kept *messages.Record
		r.receive = func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case *messages.Record:
				if kept == nil {
					kept = msg
					msg.Keep()
					return
				}
				msg.Complete(nil)
			case string:
				panic(msg)
			}
		}
		r.verdict = wait
		r.withActor()
		r.deliver(0)
		r.send("boom")
		kept.Complete(errors.New("in time"))
		first := r.last()
		time.Sleep(time.Hour)
		r.wantFaults("Panic")
		r.verdict = skip
		first.judge(messages.Decision{Action: messages.ActionRetry})
		first.resume()
		r.wantFaults("Handler 0/0")
	})
}

// A claim that is taken away ends the attempt for another reason, before its time and after it.
func TestTimeoutAndTheEndOfTheClaim(t *testing.T) {
	for name, after := range map[string]time.Duration{"before": time.Second, "after": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.set.HandlerTimeout = time.Minute
				r.handle = func(ctx context.Context, _ *messages.Record) error {
					time.Sleep(time.Hour)
					return context.Cause(ctx)
				}
				r.withHandler()
				r.deliver(0)
				time.Sleep(after)
				r.box.Revoke(&messages.Revoked{})
				r.box.Cancel(messages.ErrRevoked)
				time.Sleep(time.Hour)
				synctest.Wait()
				r.wantFaults() // no policy is asked
				r.wantCommitted(-1)
			})
		})
	}
}

// A kept record of a claim that is revoked can be completed after its context has ended, as long as it is waited for.
func TestTimeoutOfAKeptRecordThatIsRevoked(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.HandlerTimeout = time.Minute
		var kept *messages.Record
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				kept = rec
				rec.Keep()
			}
		}
		r.withActor()
		r.deliver(0)
		r.box.Revoke(&messages.Revoked{})
		r.box.Cancel(messages.ErrRevoked)
		synctest.Wait()
		if !kept.Complete(nil) {
			t.Errorf("refused: %v", kept.Stale())
		}
		r.wantFaults()
		r.wantCommitted(1)
	})
}

// A kept record of a claim that ends is not failed by its time.
func TestTimeoutOfAKeptRecordThatIsLost(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.HandlerTimeout = time.Minute
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				rec.Keep()
			}
		}
		r.withActor()
		r.deliver(0)
		r.box.Lose(&messages.Lost{})
		time.Sleep(time.Hour)
		r.wantFaults()
	})
}
