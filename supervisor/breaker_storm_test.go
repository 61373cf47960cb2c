package supervisor_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// breakerWitness watches handlers while the breaker is open. Its model of that is a safe one: it is told of an opening a
// little late, and of the end by the success of a handler that has begun since, which can only be the probe.
type breakerWitness struct {
	mu     sync.Mutex
	rnd    *rand.Rand
	away   bool
	open   bool
	since  map[*messages.Record]bool // begun since it opened, and not returned
	last   time.Time                 // when the newest of them has begun
	first  bool                      // none has begun yet
	faults []string
	tried  int
}

const stormPace = 10 * time.Second

func (w *breakerWitness) event(e messages.Event) {
	if _, ok := e.(*messages.BreakerOpened); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.open, w.first, w.since = true, true, map[*messages.Record]bool{}
	}
}

func (w *breakerWitness) handle(_ context.Context, r *messages.Record) error {
	w.mu.Lock()
	if w.open {
		if len(w.since) > 0 {
			w.faults = append(w.faults, fmt.Sprintf("%v is tried beside another", r))
		}
		w.since[r], w.first = true, false
		w.last = time.Now()
		w.tried++
	}
	takes := time.Duration(w.rnd.IntN(4)) * time.Second
	w.mu.Unlock()
	time.Sleep(takes)
	w.mu.Lock()
	defer w.mu.Unlock()
	mine := w.since[r]
	delete(w.since, r)
	switch dice := w.rnd.IntN(12); {
	case w.away && dice < 9:
		return errAway
	case w.away && dice == 9, dice == 0:
		return errBoom
	case w.away && dice == 10, dice == 1:
		panic("boom")
	}
	if mine {
		w.open = false
	}
	return nil
}

// Whatever becomes of the claims, and whatever operators do meanwhile: while the breaker is open one head at a time is tried;
// and when what was away is back, it closes, and everything is handled, but for what was parked.
func TestBreakerStorm(t *testing.T) {
	tried := 0
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := &breakerWitness{rnd: rand.New(rand.NewPCG(seed, 9))}
			rnd := rand.New(rand.NewPCG(seed, 10))
			setup := consumertest.Setup{
				Config: config{Handler: w.handle, Policy: supervisor.Policy{
					supervisor.On(supervisor.Is(errAway), supervisor.Break(every(stormPace)).Times(4), supervisor.Retry(every(15*time.Second)).Times(2), supervisor.Break(every(stormPace))),
					supervisor.On(supervisor.Panic(), supervisor.Restart(every(time.Second)).Times(3), supervisor.Break(every(stormPace))),
					supervisor.On(supervisor.Any(), supervisor.Retry(every(20*time.Second)).Times(2), supervisor.Skip()),
				}},
				Adjust: func(s *supervisor.Settings) { s.Event = w.event },
			}
			setup.Run(t, func(t *testing.T, k *kit) {
				const partitions = 4
				owned := map[int32]*partition{}
				for i := range int32(partitions) {
					owned[i] = k.Assign("orders", i)
				}
				for range 80 {
					i := rnd.Int32N(partitions)
					p := owned[i]
					switch rnd.IntN(12) {
					case 0, 1, 2:
						k.Produce("orders", i, "a", "b")
					case 3:
						w.mu.Lock()
						w.away = !w.away
						w.mu.Unlock()
					case 4:
						if p != nil {
							p.Revoke()
							owned[i] = nil
						}
					case 5:
						if p != nil {
							p.Lose(errOther)
							owned[i] = nil
						}
					case 6:
						if p == nil {
							owned[i] = k.Assign("orders", i)
						}
					case 7:
						if p != nil {
							_ = p.Retry(p.Status().Head)
						}
					case 8:
						if p != nil {
							_ = p.Skip(p.Status().Head)
						}
					default:
						k.Advance(time.Duration(rnd.IntN(12)) * time.Second)
					}
				}
				w.mu.Lock()
				w.away = false
				w.mu.Unlock()
				for i := range int32(partitions) {
					if owned[i] == nil {
						owned[i] = k.Assign("orders", i)
					}
				}
				k.Advance(time.Hour)
				if s := k.Status(); s.Breaker != "" {
					t.Errorf("the breaker is %s", s.Breaker)
				}
				for i, p := range owned {
					if s := p.Status(); s.State != messages.StateIdle || s.Lag > 0 {
						t.Errorf("partition %d: %v, lag %d, %+v", i, s.State, s.Lag, s.Reason)
					}
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				for _, f := range w.faults {
					t.Error(f)
				}
				tried += w.tried
			})
		})
	}
	if tried < 200 {
		t.Errorf("only %d heads were tried in all", tried)
	}
	t.Logf("%d heads were tried", tried)
}
