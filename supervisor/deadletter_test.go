package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// poison fails for the values that begin with "bad".
func poison(_ context.Context, r *messages.Record) error {
	if strings.HasPrefix(string(r.Value), "bad") {
		return errDown
	}
	return nil
}

// letters is a policy that tries twice and then dead-letters.
var letters = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(time.Second)).Times(1), supervisor.DeadLetter("orders.dlt"))}

// Written first, committed then: while the letter is under way nothing moves, afterwards the partition goes on.
func TestADeadLetterIsWrittenAndThenCommitted(t *testing.T) {
	consumertest.Run(t, consumer.Config{Handler: poison, Policy: letters, Group: "billing"}, func(t *testing.T, k *consumertest.Kit) {
		k.DeadLetterTime(10 * time.Second)
		p := k.Assign("orders", 3)
		p.AppendRecords(&messages.Record{Value: []byte("good")}, &messages.Record{
			Key: []byte("k"), Value: []byte("bad"), Headers: []messages.Header{{Key: "h", Value: []byte("v")}},
		}, &messages.Record{Value: []byte("good")})
		k.Advance(6 * time.Second)
		if s := p.Status(); p.Committed() != 1 || s.State != messages.StateBusy || len(k.DeadLetters()) != 0 {
			t.Errorf("under way: committed %d, %+v", p.Committed(), s)
		}
		k.Advance(6 * time.Second)
		if p.Committed() != 3 || !slices.Equal(p.Offsets(), []int64{0, 1, 1, 2}) {
			t.Errorf("written: committed %d, delivered %v", p.Committed(), p.Offsets())
		}
		all := k.DeadLetters()
		if len(all) != 1 {
			t.Fatalf("%d letters", len(all))
		}
		l := all[0]
		if l.To != "orders.dlt" || l.Rule != "any failure" || l.By != "" || l.Group != "billing" || l.Failure.Class != messages.ClassHandler ||
			!errors.Is(l.Failure.Err, errDown) || l.Failure.Attempt != 1 || l.Record.String() != "orders/3@1" ||
			string(l.Record.Key)+string(l.Record.Value)+string(l.Record.Headers[0].Value) != "kbadv" {
			t.Errorf("%+v of %s", l, l.Record)
		}
		if s := p.Status(); s.Counters.DeadLettered != 1 || s.Counters.Skipped != 0 || s.Counters.Handled != 2 {
			t.Errorf("%+v", s.Counters)
		}
		if !slices.ContainsFunc(k.Events(), func(e messages.Event) bool {
			d, ok := e.(*messages.DeadLettered)
			return ok && *d == messages.DeadLettered{Head: p.Head(1), To: "orders.dlt", By: "any failure"}
		}) {
			t.Errorf("no event of it: %v", k.Events())
		}
	})
}

// Brokers that are away lose no dead letter: the failure to write one has a class of its own, which the rules for everything
// else, one that skips among them, do not apply to. The record comes again, and is written when it can be.
func TestADeadLetterThatCannotBeWrittenIsNotLost(t *testing.T) {
	policy := supervisor.Policy{
		supervisor.On(supervisor.Is(errDown), supervisor.DeadLetter("orders.dlt")),
		supervisor.On(supervisor.Any(), supervisor.Skip()),
	}
	consumertest.Run(t, consumer.Config{Handler: poison, Policy: policy}, func(t *testing.T, k *consumertest.Kit) {
		k.FailDeadLetters(3, errors.New("broker is away"))
		p := k.Assign("orders", 0)
		p.Append("bad", "good")
		k.Advance(1109 * time.Second)
		if p.Committed() > 0 || len(k.DeadLetters()) != 0 {
			t.Errorf("committed %d before it was written", p.Committed())
		}
		if s := p.Status(); s.State != messages.StateHolding || s.Failure.Class != messages.ClassDeadLetter ||
			s.Error != "the dead letter to orders.dlt could not be written: broker is away (the record itself failed: the database is down)" {
			t.Errorf("%+v", s)
		}
		k.Advance(2 * time.Second) // 10 s + 100 s + 1000 s
		if p.Committed() != 2 || len(k.DeadLetters()) != 1 || !slices.Equal(p.Offsets(), []int64{0, 0, 0, 0, 1}) {
			t.Errorf("committed %d, %d letters, delivered %v", p.Committed(), len(k.DeadLetters()), p.Offsets())
		}
		want := []string{"Retry/0", "Retry/0", "Retry/0", "DeadLetter/0"}
		if got := decided(p); !slices.Equal(got, want) {
			t.Errorf("decided %v, want %v", got, want)
		}
	})
}

// A rule that names the class applies to it, wherever it stands.
func TestARuleForDeadLettersThatCannotBeWritten(t *testing.T) {
	policy := append(slices.Clone(letters), supervisor.On(supervisor.Class(messages.ClassDeadLetter), supervisor.Park("the topic is away")))
	if err := policy.Validate(); err != nil {
		t.Fatal(err)
	}
	consumertest.Run(t, consumer.Config{Handler: poison, Policy: policy}, func(t *testing.T, k *consumertest.Kit) {
		k.FailDeadLetters(-1, errors.New("too large"))
		p := k.Assign("orders", 0)
		p.Append("bad", "good")
		k.Advance(time.Hour)
		if s := p.Status(); s.State != messages.StateParked || s.Reason != "the topic is away" || p.Committed() > 0 {
			t.Errorf("%+v, committed %d", s, p.Committed())
		}
		k.FailDeadLetters(0, nil)
		if err := p.Retry(0); err != nil {
			t.Fatal(err)
		}
		k.Advance(time.Second)
		if p.Committed() != 2 || len(k.DeadLetters()) != 1 {
			t.Errorf("committed %d, %d letters", p.Committed(), len(k.DeadLetters()))
		}
	})
}

type writer func(context.Context, *messages.DeadLetter) error

func (w writer) WriteDeadLetter(ctx context.Context, l *messages.DeadLetter) error { return w(ctx, l) }

// The writer is user code: it may panic, end its goroutine, or not come back.
func TestAWriterThatMisbehavesKeepsTheRecord(t *testing.T) {
	stuck := make(chan struct{})
	for name, first := range map[string]writer{
		"panics": func(context.Context, *messages.DeadLetter) error { panic("no disk") },
		"exits":  func(context.Context, *messages.DeadLetter) error { runtime.Goexit(); return nil },
		"nil":    func(context.Context, *messages.DeadLetter) error { var e *messages.DecodeError; return e },
		"hangs":  func(ctx context.Context, _ *messages.DeadLetter) error { <-ctx.Done(); return ctx.Err() },
		"never returns": func(context.Context, *messages.DeadLetter) error {
			<-stuck
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			cfg := consumer.Config{Handler: poison, Policy: letters, DeadLetters: writer(func(ctx context.Context, l *messages.DeadLetter) error {
				if calls++; calls == 1 {
					return first(ctx, l)
				}
				return nil
			})}
			consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
				stuck = make(chan struct{})
				defer func() { close(stuck) }()
				p := k.Assign("orders", 0)
				p.Append("bad", "good")
				k.Advance(5 * time.Second)
				if name == "hangs" || name == "never returns" { // until its time is over
					k.Advance(27 * time.Second)
				}
				if s := p.Status(); s.State != messages.StateHolding || s.Failure == nil || s.Failure.Class != messages.ClassDeadLetter || p.Committed() > 0 {
					t.Errorf("%+v, committed %d", s, p.Committed())
				}
				k.Advance(time.Minute)
				if p.Committed() != 2 || len(k.DeadLetters()) != 1 {
					t.Errorf("committed %d, %d letters", p.Committed(), len(k.DeadLetters()))
				}
			})
		})
	}
}

// A revocation does not wait for a letter that takes its time: the next owner handles the record again. So does a loss; and a
// drain, whose deadline is a longer one, does wait.
func TestAClaimEndsWhileItsLetterIsUnderWay(t *testing.T) {
	consumertest.Run(t, consumer.Config{Handler: poison, Policy: letters, DrainTimeout: 40 * time.Second}, func(t *testing.T, k *consumertest.Kit) {
		k.DeadLetterTime(25 * time.Second)
		p := k.Assign("orders", 0)
		p.Append("bad", "good")
		k.Advance(5 * time.Second)
		if took := p.RevokeWithin(10 * time.Second); took > 12*time.Second {
			t.Errorf("the letter held the revocation for %v", took)
		}
		p = k.Assign("orders", 0)
		k.Advance(5 * time.Second)
		if got := p.Offsets(); !slices.Equal(got, []int64{0}) || len(k.DeadLetters()) != 0 {
			t.Errorf("the next owner: delivered %v, %d letters", got, len(k.DeadLetters()))
		}
		p.Lose(errors.New("expired"))
		k.Advance(time.Minute)
		p = k.Assign("orders", 0)
		k.Advance(time.Minute)
		if p.Committed() != 2 || len(k.DeadLetters()) != 1 {
			t.Errorf("the last owner: committed %d, %d letters", p.Committed(), len(k.DeadLetters()))
		}
	})
}

// With an offset store the letter comes first, then the store moves, then the partition. What fails is tried again; a letter
// may be written twice, and never not at all.
func TestADeadLetterMovesTheStore(t *testing.T) {
	store := &consumertest.Store{}
	store.Set("orders", 0, 0)
	cfg := consumer.Config{
		Policy:  letters,
		Offsets: consumer.Offsets{Store: store, Start: consumer.Earliest},
		Handler: func(ctx context.Context, r *messages.Record) error {
			if err := poison(ctx, r); err != nil {
				return err
			}
			return store.Save(r)
		},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		k.FailStore(1, errors.New("deadlock"))
		p.Append("bad", "good")
		k.Advance(1500 * time.Millisecond)
		if store.Next("orders", 0) != 0 || len(k.DeadLetters()) != 1 || len(p.Offsets()) != 2 {
			t.Errorf("the store stands at %d, %d letters, delivered %v", store.Next("orders", 0), len(k.DeadLetters()), p.Offsets())
		}
		k.Advance(time.Minute)
		if store.Next("orders", 0) != 2 || len(k.DeadLetters()) != 2 || !slices.Equal(p.Offsets(), []int64{0, 0, 0, 1}) {
			t.Errorf("the store stands at %d, %d letters, delivered %v", store.Next("orders", 0), len(k.DeadLetters()), p.Offsets())
		}
	})
}

// A hook that fails has no record: there is nothing to write, and the step is a retry.
func TestWhatIsNoRecordsIsNotDeadLettered(t *testing.T) {
	failing := 2
	cfg := consumer.Config{
		Handler: poison, Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.DeadLetter("orders.dlt"))},
		Hooks: consumer.Hooks{Assigned: func(context.Context, messages.Claim) error {
			if failing--; failing >= 0 {
				return errDown
			}
			return nil
		}},
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("good")
		k.Advance(109 * time.Second)
		if len(p.Offsets()) != 0 || !slices.Equal(decided(p), []string{"Retry/0", "Retry/0"}) {
			t.Errorf("delivered %v, decided %v", p.Offsets(), decided(p))
		}
		k.Advance(2 * time.Second)
		if p.Committed() != 1 || len(k.DeadLetters()) != 0 {
			t.Errorf("committed %d, %d letters", p.Committed(), len(k.DeadLetters()))
		}
	})
}

func TestAnOperatorDeadLettersTheHead(t *testing.T) {
	for name, policy := range map[string]supervisor.Policy{
		"parked":  {supervisor.On(supervisor.Any(), supervisor.Park("look at it"))},
		"holding": {supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(time.Hour)))},
	} {
		t.Run(name, func(t *testing.T) {
			consumertest.Run(t, consumer.Config{Handler: poison, Policy: policy}, func(t *testing.T, k *consumertest.Kit) {
				p := k.Assign("orders", 0)
				do := func(offset int64, to string) error {
					return k.Do(&messages.DeadLetterHead{Head: p.Head(offset), To: to, By: "ann"}).Err
				}
				p.Append("good", "bad", "good")
				for refused, err := range map[string]error{"but the head is 1": do(2, "away"), "names no place": do(1, "")} {
					if err == nil || !strings.Contains(err.Error(), refused) {
						t.Errorf("%s: %v", refused, err)
					}
				}
				k.FailDeadLetters(1, errors.New("broker is away"))
				if err := do(1, "away"); err == nil || !strings.Contains(err.Error(), "the record is kept: broker is away") {
					t.Errorf("not written: %v", err)
				}
				k.Advance(2 * time.Hour)
				if s := p.Status(); s.State != messages.StateParked || s.Head != 1 || len(p.Offsets()) != 2 {
					t.Errorf("it waits for somebody: %+v, delivered %v", s, p.Offsets())
				}
				if err := do(1, "away"); err != nil {
					t.Error(err)
				}
				all := k.DeadLetters()
				if p.Committed() != 3 || len(all) != 1 || all[0].By != "ann" || all[0].To != "away" || all[0].Rule != "" || !errors.Is(all[0].Failure.Err, errDown) {
					t.Errorf("committed %d, %+v", p.Committed(), all)
				}
			})
		})
	}
}

// While a letter is being written at an operator's word nothing else happens to the record: neither another command nor the
// end of a hold brings it to its handler.
func TestAnOperatorsLetterIsTheOnlyWord(t *testing.T) {
	policy := supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(10*time.Second)))}
	consumertest.Run(t, consumer.Config{Handler: poison, Policy: policy}, func(t *testing.T, k *consumertest.Kit) {
		k.DeadLetterTime(20 * time.Second)
		p := k.Assign("orders", 0)
		p.Append("bad", "good")
		k.System().Root.Send(k.PID(), &messages.DeadLetterHead{Head: p.Head(0), To: "away", By: "ann"})
		k.Advance(15 * time.Second)
		for _, err := range []error{p.Retry(0), p.Skip(0), k.Do(&messages.DeadLetterHead{Head: p.Head(0), To: "x", By: "bob"}).Err} {
			if err == nil || !strings.Contains(err.Error(), "under way") {
				t.Errorf("a second command: %v", err)
			}
		}
		k.Advance(10 * time.Second)
		if !slices.Equal(p.Offsets(), []int64{0, 1}) || p.Committed() != 2 || len(k.DeadLetters()) != 1 {
			t.Errorf("delivered %v, committed %d, %d letters", p.Offsets(), p.Committed(), len(k.DeadLetters()))
		}
	})
}

func TestWhatCannotBeReadCannotBeDeadLettered(t *testing.T) {
	consumertest.Run(t, consumer.Config{Handler: poison}, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("good", "good", "good")
		p.Corrupt(3, errors.New("corrupt"))
		p.Append("good", "good")
		k.Advance(time.Second)
		err := k.Do(&messages.DeadLetterHead{Head: p.Head(3), To: "away", By: "ann"}).Err
		if err == nil || !strings.Contains(err.Error(), "nothing to write: SkipHead") {
			t.Error(err, fmt.Sprintf("%+v", p.Status()))
		}
	})
}
