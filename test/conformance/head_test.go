package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// attempts lists calls as offset#attempt.
func attempts(calls []try) (out []string) {
	for _, c := range calls {
		out = append(out, fmt.Sprintf("%d#%d", c.offset, c.attempt))
	}
	return out
}

// TestHeadComesAgain: whether a handler fails, panics, or ends its goroutine, the same record comes again with the
// next attempt, and nothing behind it comes before it is finished.
func TestHeadComesAgain(t *testing.T) {
	for _, mode := range []consumer.CommitMode{consumer.CommitCoalesced, consumer.CommitEach} {
		t.Run(mode.String(), func(t *testing.T) {
			k := cluster(t)
			topic := k.topic(1)
			k.fill(topic, 1, 0, 3)
			l := newLedger(1, 3)
			cfg := k.config("a", "g-"+topic, topic)
			cfg.Commit.Mode = mode
			cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
				if rec.Offset == 1 {
					switch rec.Attempt {
					case 0:
						return errors.New("first")
					case 1:
						panic("second")
					case 2:
						runtime.Goexit()
					}
				}
				return nil
			})
			a := start(t, "a", cfg)
			eventually(t, "all are processed", l.done)
			status := a.partitions()[0]
			a.leave()

			l.clean(t)
			want := []string{"0#0", "1#0", "1#1", "1#2", "1#3", "2#0"}
			if got := attempts(l.calls(by("a"))); !slices.Equal(got, want) {
				t.Errorf("handled %v, want %v", got, want)
			}
			if got := k.committed("g-"+topic, topic)[0]; got != 3 {
				t.Errorf("committed %d, want 3", got)
			}
			if status.Incarnation != 3 {
				t.Errorf("incarnation %d, want 3: an error keeps it, a panic and a Goexit do not", status.Incarnation)
			}
			var classes []messages.Class
			for _, e := range told[*messages.Failed](a) {
				classes = append(classes, e.Failure.Class)
			}
			if want := []messages.Class{messages.ClassHandler, messages.ClassPanic, messages.ClassPanic}; !slices.Equal(classes, want) {
				t.Errorf("failures of class %v, want %v", classes, want)
			}
		})
	}
}

// TestHeadSurvivesHooks: hooks that panic cost no record and no attempt, neither here nor at the next owner.
func TestHeadSurvivesHooks(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	k.fill(topic, 1, 0, 5)
	l := newLedger(1, 5)
	var assigned, revoked atomic.Int64
	third := newGate()
	defer third.release()
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Hooks.Assigned = func(context.Context, messages.Claim) error {
		switch assigned.Add(1) {
		case 1:
			panic("in the hook")
		case 2:
			return errors.New("the hook fails")
		}
		return nil
	}
	cfg.Hooks.Revoked = func(messages.Revoked) { revoked.Add(1); panic("in the last moment") }
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == 2 {
			<-third.open
		}
		return nil
	})
	a := start(t, "a", cfg)
	eventually(t, "the third record is in flight", func() bool { return len(l.running("a")) == 1 && l.count() == 2 })
	a.drain()
	third.release()
	received(t, a.ended, "a leaves")
	if a.result != nil {
		t.Errorf("Run answered %v", a.result)
	}
	if n := assigned.Load(); n != 3 {
		t.Errorf("the Assigned hook was called %d times, want 3: until it succeeds, and not again", n)
	}
	if revoked.Load() != 1 {
		t.Errorf("the Revoked hook was called %d times, want 1", revoked.Load())
	}

	cfg = k.config("b", "g-"+topic, topic)
	cfg.Handler = l.keeps("b", nil)
	b := start(t, "b", cfg)
	eventually(t, "all are processed", l.done)
	b.leave()
	l.clean(t)
	want := []string{"0#0", "1#0", "2#0", "3#0", "4#0"}
	if got := attempts(l.calls(func(try) bool { return true })); !slices.Equal(got, want) {
		t.Errorf("handled %v, want %v", got, want)
	}
}

// TestHeadCarriesItsAttempts: a record that has failed four times and waits an hour for its fifth attempt gets it
// at once from the next owner, as the fifth.
func TestHeadCarriesItsAttempts(t *testing.T) {
	k := cluster(t)
	topic := k.topic(1)
	k.fill(topic, 1, 0, 4)
	l := newLedger(1, 4)
	cfg := k.config("a", "g-"+topic, topic)
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(),
		supervisor.Retry(supervisor.Every(backoff)).Times(3), supervisor.Retry(supervisor.Every(time.Hour)))}
	cfg.Handler = l.keeps("a", func(_ context.Context, rec *consumer.Record) error {
		if rec.Offset == 1 {
			return errStumble
		}
		return nil
	})
	a := start(t, "a", cfg)
	eventually(t, "the record waits for its fifth attempt", func() bool {
		p := a.partitions(messages.StateHolding)[0]
		return p.Head == 1 && p.Attempt == 4
	})
	a.leave()

	cfg.Logger = k.journal.logger("b")
	cfg.Handler = l.keeps("b", nil)
	b := start(t, "b", cfg)
	eventually(t, "all are processed", l.done)
	b.leave()
	l.clean(t)
	if got, want := attempts(l.calls(by("b"))), []string{"1#4", "2#0", "3#0"}; !slices.Equal(got, want) {
		t.Errorf("the next owner handled %v, want %v", got, want)
	}
}
