package ottla_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// What Ottla has of its ancestor, row by row; docs/ancestor.md is the table. They run on the test kit: the real
// supervisor and the real partition actors, in virtual time. Where a row is Kafka's matter, too, the conformance suite
// shows it against a broker.

var errBoom = errors.New("boom")

// run is consumertest.Run with a handler, and a policy that retries after one second unless another one is given.
func run(t *testing.T, handler consumer.Handler, test func(t *testing.T, k *consumertest.Kit), rules ...supervisor.Rule) {
	t.Helper()
	policy := supervisor.Policy(rules)
	if len(rules) == 0 {
		policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(time.Second)))}
	}
	consumertest.Run(t, consumer.Config{Handler: handler, Policy: policy}, test)
}

// attempts is offset#attempt of each delivery.
func attempts(p *consumertest.Partition) string {
	var out []string
	for _, d := range p.Deliveries() {
		out = append(out, fmt.Sprintf("%d#%d", d.Offset, d.Attempt))
	}
	return strings.Join(out, " ")
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// S1: a partition has a worker of its own, and records can be appended as soon as it is assigned.
func TestS01AWorkerForEachPartition(t *testing.T) {
	run(t, consumertest.Script(), func(t *testing.T, k *consumertest.Kit) {
		zero, one := k.Assign("orders", 0), k.Assign("orders", 1)
		zero.Append("a", "b")
		one.Append("c")
		expect(t, "partition 0", attempts(zero), "0#0 1#0")
		expect(t, "partition 1", attempts(one), "0#0")
		expect(t, "workers", len(k.Status().Partitions), 2)
	})
}

// S2: awaiting a seek, assigned, stopping; and holding, parked.
func TestS02States(t *testing.T) {
	script := consumertest.Script(consumertest.OK(), consumertest.Fail(errBoom), consumertest.Fail(errBoom))
	consumertest.Run(t, consumer.Config{Handler: script, Policy: supervisor.Policy{
		supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(time.Minute)).Times(1), supervisor.Park("look at it")),
	}}, func(t *testing.T, k *consumertest.Kit) {
		k.FailStarts(1, errBoom) // where it begins is not known yet
		p := k.Assign("orders", 0)
		expect(t, "before its start is known", p.Status().State, messages.StateAwaitingSeek)
		k.Advance(time.Hour)
		expect(t, "assigned, nothing to do", p.Status().State, messages.StateIdle)
		p.Append("a", "b")
		expect(t, "in a backoff", p.Status().State, messages.StateHolding)
		k.Advance(time.Minute)
		expect(t, "parked", p.Status().State, messages.StateParked)
		p.Revoke()
		expect(t, "revoked", p.Status().State, messages.StateStopping)
	})
}

// S3: peek, process, commit, dequeue. The head stays the head until it is finished; finishing what is no longer the
// head does nothing.
func TestS03TheHeadStaysUntilItIsFinished(t *testing.T) {
	var first *messages.Record
	handler := func(_ context.Context, rec *consumer.Record) error {
		if first == nil {
			first = rec
			rec.Keep()
			return errBoom // an answer after all: the Complete below comes too late
		}
		return nil
	}
	run(t, handler, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		expect(t, "head", p.Status().Head, 0)
		expect(t, "a late completion counts", first.Complete(nil), false)
		expect(t, "committed", p.Committed() <= 0, true)
		k.Advance(time.Second)
		expect(t, "deliveries", attempts(p), "0#0 0#1 1#0")
		expect(t, "committed", p.Committed(), 2)
	})
}

// S4: attempts are counted per record, from 0, and survive the owner.
func TestS04AttemptsArePerRecord(t *testing.T) {
	fails := consumertest.Fail(errBoom)
	run(t, consumertest.Script(fails, fails, consumertest.OK(), fails, fails), func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		k.Advance(3500 * time.Millisecond)
		expect(t, "deliveries", attempts(p), "0#0 0#1 0#2 1#0 1#1")
		p.Revoke()
		next := k.Assign("orders", 0)
		expect(t, "at the next owner", attempts(next), "1#2")
	})
}

// S5: 10 s, 100 s, 1000 s, then 1 h for ever; exact for every n, and a hold that delays nobody.
func TestS05Delays(t *testing.T) {
	var b supervisor.Backoff
	for n, want := range map[int]time.Duration{
		1: 10 * time.Second, 2: 100 * time.Second, 3: 1000 * time.Second, 4: time.Hour, 100: time.Hour, math.MaxInt: time.Hour,
	} {
		expect(t, fmt.Sprint("delay ", n), b.Delay(n), want)
	}
	always := func(context.Context, *consumer.Record) error { return errBoom }
	consumertest.Run(t, consumer.Config{Handler: always}, func(t *testing.T, k *consumertest.Kit) { // the default policy
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Advance(3 * time.Hour)
		var at []time.Duration
		for _, d := range p.Deliveries() {
			at = append(at, d.At-p.Deliveries()[0].At)
		}
		want := []time.Duration{0, 10 * time.Second, 110 * time.Second, 1110 * time.Second, 1110*time.Second + time.Hour, 1110*time.Second + 2*time.Hour}
		if !slices.Equal(at, want) {
			t.Errorf("delivered at %v, want %v", at, want)
		}
		expect(t, "a revocation in the middle of an hour's backoff takes", p.Revoke(), 0)
	})
}

// S6: a failure can be skipped, of whatever class, and each skip is logged with the record's coordinates.
func TestS06Skip(t *testing.T) {
	steps := consumertest.Script(consumertest.Fail(errBoom), consumertest.Panic("boom"), consumertest.Fail(&messages.DecodeError{Err: errBoom}), consumertest.OK())
	run(t, steps, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 3)
		p.Append("a", "b", "c", "d")
		expect(t, "deliveries", attempts(p), "0#0 1#0 2#0 3#0")
		expect(t, "committed", p.Committed(), 4)
		var skipped []int64
		for _, l := range k.Logs() {
			if l.Level == slog.LevelError && l.Fields["action"] == "Skip" && l.Fields["topic"] == "orders" && l.Fields["partition"] == "3" {
				skipped = append(skipped, int64(len(skipped)))
			}
		}
		expect(t, "log lines", len(skipped), 3)
	}, supervisor.On(supervisor.Any(), supervisor.Skip()))
}

// store keeps offsets elsewhere.
type store struct{ next, fence int64 }

func (s *store) Acquire(context.Context, messages.Claim) (consumer.Position, error) {
	s.fence++
	return consumer.Position{Next: s.next, Fence: s.fence}, nil
}

// S7: offsets in Kafka, each or coalesced; or elsewhere, where nothing is committed to Kafka unless it is asked for.
func TestS07Offsets(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  consumer.Config
		want int64
	}{
		"CommitCoalesced": {consumer.Config{}, 3},
		"CommitEach":      {consumer.Config{Commit: consumer.Commit{Mode: consumer.CommitEach}}, 3},
		"elsewhere":       {consumer.Config{Offsets: consumer.Offsets{Store: &store{}, Start: consumer.Earliest}}, -1},
		"and to Kafka":    {consumer.Config{Offsets: consumer.Offsets{Store: &store{}, Start: consumer.Earliest, AlsoToKafka: true}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Handler = consumertest.Script()
			consumertest.Run(t, c.cfg, func(t *testing.T, k *consumertest.Kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b", "c")
				expect(t, "deliveries", attempts(p), "0#0 1#0 2#0")
				p.Revoke()
				expect(t, "committed to Kafka", p.Committed(), c.want)
			})
		})
	}
}

// S8: a store that expects another offset answers SeekTo; what comes then is the first record at or after it.
func TestS08SeekTo(t *testing.T) {
	consumertest.Run(t, consumer.Config{
		Handler: consumertest.Script(consumertest.Fail(messages.SeekTo(3))),
		Offsets: consumer.Offsets{Store: &store{}, Start: consumer.Earliest},
	}, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.AppendRecords(&messages.Record{}, &messages.Record{}, &messages.Record{}, &messages.Record{Offset: 5}, &messages.Record{})
		expect(t, "deliveries", attempts(p), "0#0 5#0 6#0") // 3 and 4 are a hole: nothing waits for them
		expect(t, "failures", len(p.Failures()), 0)
	})
}

// S9: a revoked partition takes no more records; the one in flight finishes, and a hold is over at once.
func TestS09Revoke(t *testing.T) {
	run(t, consumertest.Script(consumertest.Work(2*time.Second)), func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		expect(t, "release took", p.Revoke(), 2*time.Second)
		p.Append("c")
		expect(t, "deliveries", attempts(p), "0#0")
		expect(t, "committed", p.Committed(), 1)
	})
}

// S10: drain, stop and kill.
func TestS10Stop(t *testing.T) {
	for name, c := range map[string]struct {
		end       func(k *consumertest.Kit) error
		answer    error
		took      time.Duration
		committed int64
	}{
		"drain": {(*consumertest.Kit).Drain, nil, 5 * time.Second, 1},
		"stop":  {(*consumertest.Kit).Stop, nil, 0, -1},
		"kill":  {(*consumertest.Kit).Kill, messages.ErrKilled, 0, -1},
	} {
		t.Run(name, func(t *testing.T) {
			handler := func(ctx context.Context, _ *consumer.Record) error {
				select {
				case <-time.After(5 * time.Second):
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			run(t, handler, func(t *testing.T, k *consumertest.Kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b")
				began := k.Now()
				expect(t, "Run's answer", c.end(k), c.answer)
				expect(t, "took", k.Now()-began, c.took)
				expect(t, "committed", p.Committed(), c.committed)
				expect(t, "deliveries", attempts(p), "0#0")
			})
		})
	}
}

// S11: an exception of the callback never leaves the worker: an error, a panic, and runtime.Goexit.
func TestS11NothingLeavesTheWorker(t *testing.T) {
	script := consumertest.Script(consumertest.Fail(errBoom), consumertest.Panic("boom"), consumertest.Goexit())
	run(t, script, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "0#0 0#1 0#2 0#3")
		expect(t, "committed", p.Committed(), 1)
	})
}

// dying stops itself at the first record that it sees.
type dying struct{ died *bool }

func (d dying) Receive(ctx actor.Context) {
	if rec, ok := ctx.Message().(*messages.Record); ok {
		if !*d.died {
			*d.died = true
			ctx.Stop(ctx.Self())
			rec.Keep()
			return
		}
		rec.Complete(nil)
	}
}

// S12: the death of a worker is never silent, and never the end of the others.
func TestS12ADeadWorkerIsReplaced(t *testing.T) {
	died := false
	consumertest.Run(t, consumer.Config{
		Actor:  func() actor.Actor { return dying{&died} },
		Policy: supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Restart(supervisor.Every(time.Second)))},
	}, func(t *testing.T, k *consumertest.Kit) {
		p, other := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Append("a", "b")
		other.Append("c")
		expect(t, "the other one", other.Committed(), 1)
		if f := p.Failures(); len(f) != 1 || f[0].Failure.Class != messages.ClassActorStopped {
			t.Errorf("failures %v, want one of class ActorStopped", f)
		}
		k.Advance(time.Second)
		expect(t, "committed after a second", p.Committed(), 2)
	})
}

// S13: a failure is one line: what happened, what will happen next and when, what waits meanwhile.
func TestS13TheLogLineOfAFailure(t *testing.T) {
	run(t, consumertest.Script(consumertest.Fail(errBoom)), func(t *testing.T, k *consumertest.Kit) {
		k.Assign("orders", 3).Append("a")
		var lines []consumertest.Log
		for _, l := range k.Logs() {
			if l.Message == "Assigned Kafka message failed" {
				lines = append(lines, l)
			}
		}
		if len(lines) != 1 {
			t.Fatalf("%d lines, want 1", len(lines))
		}
		expect(t, "error", lines[0].Fields["error"], "boom")
		expect(t, "next", lines[0].Fields["next"], "it is tried again after 1s; orders/3 waits until then, other partitions go on (RetryHead ends the wait)")
	})
}

// S14: the facts of an attempt are in the line; contents only when asked for.
func TestS14Facts(t *testing.T) {
	for _, contents := range []bool{false, true} {
		consumertest.Run(t, consumer.Config{
			Handler: consumertest.Script(consumertest.Fail(errBoom)), LogContents: contents,
		}, func(t *testing.T, k *consumertest.Kit) {
			k.Assign("orders", 3).AppendRecords(&messages.Record{Key: []byte("ann"), Value: []byte("secret")})
			var all bytes.Buffer
			for _, l := range k.Logs() {
				if l.Message == "Assigned Kafka message failed" {
					expect(t, "where", l.Fields["topic"]+"/"+l.Fields["partition"]+"@"+l.Fields["offset"]+"#"+l.Fields["attempt"], "orders/3@0#0")
					expect(t, "class", l.Fields["class"], "Handler")
				}
				fmt.Fprintln(&all, l)
			}
			expect(t, "the key is in the log", strings.Contains(all.String(), "ann"), contents)
			expect(t, "the value is in the log", strings.Contains(all.String(), "secret"), contents)
		})
	}
}

// S15: JSON with an envelope and a request id; no value where the type is unit; a fresh id otherwise.
func TestS15Envelope(t *testing.T) {
	var got []string
	handler := consumer.Envelope(func(_ context.Context, rec *consumer.Record, v int) error {
		got = append(got, fmt.Sprintf("%d by %s", v, rec.RequestID()))
		return nil
	})
	run(t, handler, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append(`{"metaData":{"requestId":"r1"},"value":7}`, `{"metaData":{"requestId":"r2"},"value":"no number"}`)
		expect(t, "handled", strings.Join(got, ", "), "7 by r1")
		if f := p.Failures(); len(f) != 1 || f[0].Failure.Class != messages.ClassDecode {
			t.Errorf("failures %v, want one of class Decode", f)
		}
	})
	if _, err := messages.DecodeEnvelope[struct{}](&messages.Record{}); err != nil {
		t.Errorf("no value where the type is unit: %v", err)
	}
	bare := &messages.Record{Value: []byte("{}")}
	if id := bare.RequestID(); len(id) != 36 || id != bare.RequestID() {
		t.Errorf("a fresh request id: %q, then %q", id, bare.RequestID())
	}
}

// S16: a failed commit is logged with its risk; the record is finished all the same, and the commit is tried again.
func TestS16FailedCommits(t *testing.T) {
	run(t, consumertest.Script(), func(t *testing.T, k *consumertest.Kit) {
		k.FailCommits(1, errBoom)
		p := k.Assign("orders", 0)
		p.Append("a", "b")
		expect(t, "deliveries", attempts(p), "0#0 1#0")
		risk := slices.ContainsFunc(k.Logs(), func(l consumertest.Log) bool {
			return strings.Contains(l.Message, "handled again") && strings.Contains(l.Message, "no progress")
		})
		expect(t, "the risk is in the log", risk, true)
		k.Advance(time.Minute)
		expect(t, "committed", p.Committed(), 2)
		expect(t, "counted", p.Status().Counters.CommitsFailed, 1)
	})
}

// S17: a backlog above its mark pauses the partition, below half of it the partition goes on; by count and by bytes.
func TestS17Backpressure(t *testing.T) {
	for name, backlog := range map[string]consumer.Backlog{
		"count": {Records: 10},
		"bytes": {Bytes: 10 * (messages.RecordOverhead + 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			consumertest.Run(t, consumer.Config{Handler: consumertest.Script(consumertest.Block()), Backlog: backlog}, func(t *testing.T, k *consumertest.Kit) {
				p := k.Assign("orders", 0)
				for range 1000 {
					p.AppendRecords(&messages.Record{Value: make([]byte, 1000)})
				}
				if depth := p.Status().Depth; depth < 10 || depth > 20 {
					t.Errorf("depth %d of 1000 records, want about 10", depth)
				}
				p.Release()
				expect(t, "committed", p.Committed(), 1000)
			})
		})
	}
}

// S18: hooks around a worker's life; the last one runs however it ends.
func TestS18Hooks(t *testing.T) {
	var told []string
	cfg := consumer.Config{Handler: consumertest.Script(consumertest.Panic("boom")), Hooks: consumer.Hooks{
		Assigned: func(_ context.Context, c messages.Claim) error {
			told = append(told, fmt.Sprint("assigned ", c.Partition))
			return nil
		},
		Revoked: func(r messages.Revoked) { told = append(told, fmt.Sprint("revoked ", r.Claim.Partition)) },
		Lost:    func(l messages.Lost) { told = append(told, fmt.Sprint("lost ", l.Claim.Partition)) },
	}}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		a := k.Assign("orders", 1)
		a.Append("a") // its actor is restarted: the hooks are the claim's, not the incarnation's
		a.Revoke()
		k.Assign("orders", 2).Lose(errBoom)
		expect(t, "told", strings.Join(told, ", "), "assigned 1, revoked 1, assigned 2, lost 2")
	})
}

// S19: appending, taking and the length take the same time whatever the length. The mailbox's benchmarks measure it;
// here, a long backlog allocates no more for a record than a short one.
func TestS19ALongBacklogCostsNoMore(t *testing.T) {
	perRecord := func(n int) float64 {
		var before, after runtime.MemStats
		consumertest.Run(t, consumer.Config{Handler: consumertest.Script(consumertest.Block())}, func(_ *testing.T, k *consumertest.Kit) {
			p := k.Assign("orders", 0)
			records := make([]*messages.Record, n)
			for i := range records {
				records[i] = &messages.Record{}
			}
			p.AppendRecords(records...)
			runtime.ReadMemStats(&before)
			p.Release()
			runtime.ReadMemStats(&after)
			if got := p.Committed(); got != int64(n) {
				t.Errorf("committed %d of %d", got, n)
			}
		})
		return float64(after.Mallocs-before.Mallocs) / float64(n)
	}
	short, long := perRecord(1000), perRecord(15_000)
	if long > 2*short+1 {
		t.Errorf("%.1f allocations a record in a backlog of 15,000, %.1f in one of 1,000", long, short)
	}
}
