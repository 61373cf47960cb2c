package actors

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// The twin is a bucket of tokens: it says the same at every moment, and for how long it will say no.
func TestPacerAgainstABucket(t *testing.T) {
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		rate := Rate{PerSecond: math.Exp(rnd.Float64()*20 - 8), Burst: rnd.IntN(20)}
		p := newPacer(rate)
		burst := max(1, rate.Burst)
		if want := float64(time.Second) / rate.PerSecond; math.Abs(float64(p.interval)-want) > 0.5 {
			t.Fatalf("%+v: interval %v", rate, p.interval)
		}
		tokens := time.Duration(burst) * p.interval // a token is an interval's worth
		now := time.Unix(1e9, 0)
		for range 300 {
			pass := time.Duration(rnd.Float64() * rnd.Float64() * float64(p.interval) * 4)
			if rnd.IntN(50) == 0 {
				pass *= 100
			}
			if wait := p.wait(now); wait > 0 && rnd.IntN(3) == 0 {
				pass = wait
			}
			now = now.Add(pass)
			tokens = min(time.Duration(burst)*p.interval, tokens+pass)
			if got, want := p.wait(now), max(0, p.interval-tokens); got != want {
				t.Fatalf("seed %d, %+v: wait %v, want %v", seed, rate, got, want)
			}
			if tokens >= p.interval {
				p.take(now)
				tokens -= p.interval
			}
		}
	}
}

func TestPacerExtremes(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, r := range []Rate{{}, {PerSecond: -1}, {PerSecond: math.NaN()}, {Burst: 7}} {
		p := newPacer(r)
		for range 1000 {
			p.take(now)
		}
		if d := p.wait(now); p.interval == 0 && d != 0 {
			t.Errorf("%+v: no limit, and it waits %v", r, d)
		}
	}
	for _, r := range []Rate{
		{PerSecond: 1e-300, Burst: math.MaxInt}, {PerSecond: math.SmallestNonzeroFloat64}, {PerSecond: math.Inf(1), Burst: math.MaxInt},
		{PerSecond: 1e12, Burst: 1 << 40}, {PerSecond: 0.00001, Burst: 1 << 40},
	} {
		p := newPacer(r)
		if p.interval < 1 || p.slack < 0 || p.interval+p.slack < 0 {
			t.Errorf("%+v: %+v", r, p)
		}
		if d := p.wait(now); d != 0 {
			t.Errorf("%+v: the first one waits %v", r, d)
		}
		p.take(now)
		if d := p.wait(now); d < 0 {
			t.Errorf("%+v: the second one waits %v", r, d)
		}
	}
}

// Records come at the rate; after a rest a burst of them. What else there is to do is done meanwhile.
func TestRate(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Rate = Rate{PerSecond: 0.5, Burst: 3}
		began := time.Now()
		var at []time.Duration
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				at = append(at, time.Since(began))
				if rec.Offset == 1 && rec.Attempt == 0 {
					rec.Complete(errors.New("again"))
					return
				}
				rec.Complete(nil)
			}
		}
		r.withActor()
		r.deliver(0, 1, 2, 3)
		time.Sleep(time.Second)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1: 1/0", "1: 1/1")
		r.wantFaults("Handler 1/0")
		r.wantCommitted(2)
		if s := r.box.Snapshot(); s.State != messages.StateBusy || s.Depth != 2 {
			t.Errorf("while one waits for its turn: %v, depth %d", s.State, s.Depth)
		}
		r.send("hello")
		r.said("1 hello")
		time.Sleep(time.Hour)
		r.deliver(4, 5, 6, 7)
		time.Sleep(time.Hour)
		synctest.Wait()
		want := []time.Duration{0, 0, 0, 2 * time.Second, 4 * time.Second, time.Hour + time.Second, time.Hour + time.Second, time.Hour + time.Second, time.Hour + 3*time.Second}
		if len(at) != len(want) {
			t.Fatalf("delivered at %v", at)
		}
		for i := range want {
			if at[i] != want[i] {
				t.Errorf("delivery %d at %v, want %v", i, at[i], want[i])
			}
		}
	})
}

// A revocation, a park, a skip and a loss do not wait for the turn, nor is a record given out after them.
func TestRateDoesNotDelayTheEnd(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"revoke": func(r *rig) { r.box.Revoke(&messages.Revoked{}) },
		"lost":   func(r *rig) { r.box.Lose(&messages.Lost{}) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.set.Rate = Rate{PerSecond: 0.001}
				r.withHandler()
				r.deliver(0, 1)
				r.said("0/0")
				end(r)
				r.said("terminated")
				if r.box.pacing.Stop() {
					t.Error("the timer still runs: it keeps the mailbox, and what it has fetched, for as long")
				}
				time.Sleep(24 * time.Hour)
				r.said()
			})
		})
	}
	t.Run("park", func(t *testing.T) {
		bubble(t, func(r *rig) {
			r.set.Rate = Rate{PerSecond: 0.1}
			r.withHandler()
			r.deliver(0, 1)
			r.said("0/0")
			r.box.Park("why", messages.ClassHandler)
			time.Sleep(time.Hour)
			r.said()
			if err := r.box.RetryHead(1); err != nil {
				t.Error(err)
			}
			r.said("1/0")
		})
	})
}

// A probe that waits for its turn is not tried before; when it is overdue, another head may be in its place.
func TestRateAndBreaker(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.Rate = Rate{PerSecond: 0.01}
		r.set.Breaker = NewBreaker(func(BreakerChange) {})
		r.verdict = breaks
		r.handle = func(_ context.Context, rec *messages.Record) error {
			if rec.Attempt == 0 && rec.Offset == 0 {
				return errors.New("away")
			}
			return nil
		}
		r.withHandler()
		r.deliver(0)
		time.Sleep(70*time.Second - 1)
		synctest.Wait()
		if s := r.set.Breaker.State(); !s.Open || s.Out || s.Probe == nil {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Nanosecond)
		if s := r.set.Breaker.State(); !s.Open || s.Out || s.Probe != nil {
			t.Errorf("%+v", s)
		}
		time.Sleep(30*time.Second - 1)
		r.said("0/0")
		time.Sleep(time.Nanosecond)
		r.said("0/1")
		if s := r.set.Breaker.State(); s.Open {
			t.Errorf("%+v", s)
		}
	})
}
