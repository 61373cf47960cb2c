package supervisor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

func TestRetryHeadEndsAHold(t *testing.T) {
	cfg := config{Handler: failOn(1, 1, consumertest.Fail(errBoom)), Policy: always(supervisor.Retry(every(time.Hour)))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		res := k.Do(&messages.RetryHead{Head: p.Head(1), By: "ann"})
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 1#1/1 2#0/1")
		k.Advance(2 * time.Hour) // the hold that was ended does not come back
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 1#1/1 2#0/1")
		if e := eventsOf[*messages.Unparked](k); len(e) != 1 || e[0].Head != p.Head(1) || e[0].By != "ann" {
			t.Errorf("events %+v", e)
		}
	})
}

func TestSkipHead(t *testing.T) {
	for name, do := range map[string]supervisor.Directive{"of a hold": supervisor.Retry(every(time.Hour)), "of a park": supervisor.Park("look")} {
		t.Run(name, func(t *testing.T) {
			cfg := config{Handler: failOn(1, 9, consumertest.Fail(errBoom)), Policy: always(do)}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b", "c")
				res := k.Do(&messages.SkipHead{Head: p.Head(1), By: "ann"})
				if res.Err != nil {
					t.Fatal(res.Err)
				}
				expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 2#0/1")
				expect(t, "committed", p.Committed(), 3)
				if c := lastCommit(t, p); c.Attempt != 0 || c.Parked {
					t.Errorf("last commit %+v: what was said of the skipped record must not be said of the next one", c)
				}
				if e := eventsOf[*messages.Skipped](k); len(e) != 1 || e[0].Head != p.Head(1) || e[0].By != "ann" {
					t.Errorf("events %+v", e)
				}
				if !logged(k, "operator", "ann", "orders") {
					t.Error("not in the log")
				}
			})
		})
	}
}

// A command names the record that it was meant for. Another head, no head, a partition that runs, or that is not ours:
// refused, with the head in the answer.
func TestCommandsThatAreRefused(t *testing.T) {
	cfg := config{Handler: failOn(1, 9, consumertest.Fail(errBoom)), Policy: always(supervisor.Park("look"))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		idle := func(cmd messages.Command) {
			if res := k.Do(cmd); res.Err == nil {
				t.Errorf("%T was carried out on a partition that runs: %+v", cmd, res)
			}
		}
		idle(&messages.RetryHead{Head: p.Head(1)})
		idle(&messages.SkipHead{Head: p.Head(1)})
		p.Append("b", "c")
		for _, offset := range []int64{-1, 0, 2} {
			for _, cmd := range []messages.Command{&messages.RetryHead{Head: p.Head(offset)}, &messages.SkipHead{Head: p.Head(offset)}} {
				res := k.Do(cmd)
				var head *actors.HeadError
				if !errors.As(res.Err, &head) || head.Have != 1 || head.Want != offset {
					t.Errorf("%T at %d: %v", cmd, offset, res.Err)
				}
				expect(t, "head in the answer", res.Head, p.Head(1))
				expect(t, "state in the answer", res.State, messages.StateParked)
			}
		}
		other := k.Do(&messages.RetryHead{Head: messages.Head{Topic: "orders", Partition: 7}})
		if other.Err == nil || other.Head.Offset != -1 {
			t.Errorf("a partition that is not ours: %+v", other)
		}
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1")
		expect(t, "committed", p.Committed(), 1)
	})
}

// While a record is being handled, and while the claim is given up, nothing can be commanded.
func TestCommandsAtTheWrongTime(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script(consumertest.Work(time.Minute))}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		if err := p.Skip(0); err == nil {
			t.Error("a record that is being handled was skipped")
		}
		p.StartRevoke(time.Hour)
		if err := p.Retry(0); err == nil {
			t.Error("a command on a claim that is given up was carried out")
		}
	})
}

// A command without a sender is carried out, and nobody is answered.
func TestACommandThatNobodyWaitsFor(t *testing.T) {
	cfg := config{Handler: failOn(0, 1, consumertest.Fail(errBoom)), Policy: always(supervisor.Park("look"))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Tell(&messages.SkipHead{Head: p.Head(7)})
		k.Tell(&messages.SkipHead{Head: messages.Head{Topic: "nothing"}})
		k.Tell(&messages.RetryHead{Head: p.Head(0)})
		expect(t, "committed", p.Committed(), 1)
	})
}

// The start fails, and the next try is in an hour: RetryHead ends that wait, too, as the log line says.
func TestRetryHeadEndsTheWaitOfAStart(t *testing.T) {
	cfg := config{Handler: consumertest.Script(), Policy: always(supervisor.Retry(every(time.Hour)))}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		k.FailStarts(1, errBoom)
		p := k.Assign("orders", 0)
		p.Append("a")
		s := p.Status()
		expect(t, "state", s.State, messages.StateAwaitingSeek)
		expect(t, "head", s.Head, -1)
		expect(t, "next retry", time.Until(s.NextRetry), time.Hour)
		expect(t, "class of the failure", s.Failure.Class, messages.ClassStore)
		if err := p.Retry(0); err == nil {
			t.Error("a command for another head was not refused")
		}
		if err := p.Retry(-1); err != nil {
			t.Fatal(err)
		}
		expect(t, "deliveries", attempts(p), "0#0/1")
		k.Advance(2 * time.Hour)
		expect(t, "deliveries", attempts(p), "0#0/1")
	})
}

func TestRetryHeadEndsTheWaitOfAnActor(t *testing.T) {
	cfg := config{Actor: fragile(0, nil), Policy: always(supervisor.Restart(every(time.Hour)))}
	for _, message := range []string{"boom", "stop"} {
		t.Run(message, func(t *testing.T) {
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a")
				p.Send(message)
				p.Append("b")
				s := p.Status()
				expect(t, "state", s.State, messages.StateHolding)
				expect(t, "head", s.Head, 1)
				expect(t, "next retry", time.Until(s.NextRetry), time.Hour)
				if err := p.Retry(1); err != nil {
					t.Fatal(err)
				}
				expect(t, "deliveries", attempts(p), "0#0/1 1#0/2")
			})
		})
	}
}

func TestForward(t *testing.T) {
	producer := func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *messages.Record:
				m.Complete(errBoom)
			case string:
				ctx.Respond("got " + m)
			}
		})
	}
	consumertest.Run(t, config{Actor: producer, Policy: always(supervisor.Park("look"))}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a") // messages are answered while it is parked
		ask := func(partition int32) any {
			f := k.System().Root.RequestFuture(k.PID(), &messages.Forward{Topic: "orders", Partition: partition, Message: "hello"}, time.Second)
			answer, err := f.Result()
			if err != nil {
				t.Fatal(err)
			}
			return answer
		}
		expect(t, "answer", ask(0), any("got hello"))
		if n, ok := ask(5).(*messages.NotHere); !ok || n.Partition != 5 {
			t.Errorf("answer %v", n)
		}
	})
}

// An operator's skip under an offset store: the store is moved first. The head is held back until it has answered, even
// if the hold would have ended meanwhile: its handler would move the store, too, and the skip would move it back.
func TestASkipWhoseStoreTakesTime(t *testing.T) {
	store := &tardyStore{takes: time.Minute}
	store.Set("orders", 0, 0)
	cfg := config{Handler: func(_ context.Context, r *messages.Record) error {
		if r.Offset == 0 && r.Attempt == 0 {
			return errBoom
		}
		return store.Save(r)
	}, Policy: always(supervisor.Retry(every(30 * time.Second)))}
	cfg.Offsets.Store, cfg.Offsets.Start = store, earliest
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b", "c")
		res := k.Do(&messages.SkipHead{Head: p.Head(0), By: "ann"}) // takes longer than the hold
		if res.Err == nil || k.Now() != 30*time.Second {
			t.Errorf("after %v: %v; one call of the store has 30 s", k.Now(), res.Err)
		}
		expect(t, "deliveries", attempts(p), "0#0/1")
		expect(t, "state", p.Status().State, messages.StateParked)
		store.takes = 10 * time.Second
		if res := k.Do(&messages.SkipHead{Head: p.Head(0), By: "ann"}); res.Err != nil {
			t.Fatal(res.Err)
		}
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 2#0/1")
		expect(t, "the store's position", store.Next("orders", 0), 3)
	})
}

// While a skip moves the store, no other command reaches the head. A RetryHead delivered it, its handler and its
// successors' moved the store on, and the skip moved it back; a second skip did the same once the first one was through.
func TestCommandsDuringASkip(t *testing.T) {
	for name, second := range map[string]func(p *partition) messages.Command{
		"retry": func(p *partition) messages.Command { return &messages.RetryHead{Head: p.Head(0), By: "bob"} },
		"skip":  func(p *partition) messages.Command { return &messages.SkipHead{Head: p.Head(0), By: "bob"} },
	} {
		t.Run(name, func(t *testing.T) {
			store := &tardyStore{takes: 10 * time.Second}
			store.Set("orders", 0, 0)
			broken := true
			cfg := config{Handler: func(_ context.Context, r *messages.Record) error {
				if r.Offset == 0 && broken {
					return errBoom
				}
				return store.Save(r)
			}, Policy: always(supervisor.Park("look"))}
			cfg.Offsets.Store, cfg.Offsets.Start = store, earliest
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b", "c")
				k.Tell(&messages.SkipHead{Head: p.Head(0), By: "ann"})
				k.Advance(5 * time.Second)
				broken = false
				if res := k.Do(second(p)); res.Err == nil || !strings.Contains(res.Err.Error(), "under way") {
					t.Errorf("answered %v", res.Err)
				}
				k.Advance(time.Minute)
				expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 2#0/1")
				expect(t, "the store's position", store.Next("orders", 0), 3)
				if e := eventsOf[*messages.Skipped](k); len(e) != 1 || e[0].By != "ann" {
					t.Errorf("events %+v", e)
				}
			})
		})
	}
}

// The same where the partition cannot be read, and the skip looks for what can be.
func TestCommandsDuringASkipOfWhatCannotBeRead(t *testing.T) {
	store := &tardyStore{takes: 10 * time.Second}
	store.Set("orders", 0, 0)
	cfg := saving(&store.Store, nil)
	cfg.Offsets.Store = store
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Corrupt(0, errBoom)
		p.Append("a", "b", "c")
		k.Tell(&messages.SkipHead{Head: p.Head(0), By: "ann"})
		k.Advance(5 * time.Second)
		for _, cmd := range []messages.Command{&messages.RetryHead{Head: p.Head(0)}, &messages.SkipHead{Head: p.Head(0)}} {
			if res := k.Do(cmd); res.Err == nil {
				t.Errorf("%T was not refused", cmd)
			}
		}
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "1#0/1 2#0/1")
		expect(t, "the store's position", store.Next("orders", 0), 3)
	})
}

// tardyStore needs time to advance.
type tardyStore struct {
	consumertest.Store
	takes time.Duration
}

func (s *tardyStore) Advance(ctx context.Context, c messages.Claim, next, fence int64) error {
	select {
	case <-time.After(s.takes):
		return s.Store.Advance(ctx, c, next, fence)
	case <-ctx.Done():
		return ctx.Err()
	}
}
