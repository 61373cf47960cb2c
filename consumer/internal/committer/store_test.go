package committer

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// store is a scripted offset store.
type store struct {
	pos      offsets.Position
	err      error
	do       func(ctx context.Context)
	acquired []messages.Claim
}

func (s *store) Acquire(ctx context.Context, claim messages.Claim) (offsets.Position, error) {
	s.acquired = append(s.acquired, claim)
	if s.do != nil {
		s.do(ctx)
	}
	s.pos.Fence++
	return s.pos, s.err
}

// advancer is one that can be moved.
type advancer struct {
	store
	next, fence int64
}

func (s *advancer) Advance(_ context.Context, _ messages.Claim, next, fence int64) error {
	s.next, s.fence = next, fence
	return s.err
}

func withStore(s offsets.Store, change ...func(*Settings)) func(*Settings) {
	return func(set *Settings) {
		set.Store = s
		for _, f := range change {
			f(set)
		}
	}
}

// The store's word counts, ahead of Kafka's commit and behind it, and its fence travels. Against a log of 50 to 99.
func TestStartByStore(t *testing.T) {
	for _, c := range []struct {
		text              string
		pos               int64
		start, outOfRange offsets.Choice
		next              int64 // -1: it does not start
		moved             bool
		advanced          bool
	}{
		{text: "behind the commit", pos: 55, next: 55},
		{text: "ahead of the commit", pos: 90, next: 90},
		{text: "at the end", pos: 100, next: 100},
		{text: "unknown, earliest", pos: offsets.Unknown, start: offsets.Earliest, next: 50},
		{text: "unknown, latest", pos: offsets.Unknown, start: offsets.Latest, next: 100, advanced: true},
		{text: "unknown, at noon", pos: offsets.Unknown, start: offsets.At(noon), next: 77},
		{text: "unknown, fail", pos: offsets.Unknown, start: offsets.Fail, next: -1},
		{text: "too low, by default", pos: 10, next: -1},
		{text: "too low, earliest", pos: 10, outOfRange: offsets.Earliest, next: 50, moved: true},
		{text: "too high, latest", pos: 200, outOfRange: offsets.Latest, next: 100, moved: true, advanced: true},
	} {
		t.Run(c.text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(orders(0))
				b.offsets[orders(0)] = block{offset: 70}
				s := &advancer{store: store{pos: offsets.Position{Next: c.pos, Fence: 8}}}
				log := &logRange{first: 50, end: 100, at: func(time.Time) int64 { return 77 }}
				x := newBench(t, b, withLog(log), withStore(s, func(s *Settings) { s.Start, s.OutOfRange, s.AlsoToKafka = c.start, c.outOfRange, true }))
				k := x.claim(orders(0))
				got, err := k.Start(t.Context())
				if len(s.acquired) != 1 || s.acquired[0] != k.claim {
					t.Errorf("acquired %v", s.acquired)
				}
				if len(b.reads()) != 0 {
					t.Error("Kafka was asked for the committed offset")
				}
				if c.next < 0 {
					if outside := new(supervisor.OutOfRangeError); !errors.As(err, &outside) || outside.Offset != c.pos || !strings.Contains(err.Error(), "skip to") {
						t.Errorf("got %+v, %v", got, err)
					}
					return
				}
				if err != nil || got.Next != c.next || got.Fence != 9 || !got.Progress.Equal(at(c.next)) || (got.Moved != nil) != c.moved {
					t.Errorf("got %+v, %v", got, err)
				}
				if want := (struct{ next, fence int64 }{c.next, 9}); c.advanced != (s.next == want.next && s.fence == want.fence) {
					t.Errorf("advanced to %d with %d", s.next, s.fence)
				}
			})
		})
	}
}

// A fence that a newer owner raised: the claim acquires again, and skips go with the newest fence.
func TestAcquireAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &advancer{store: store{pos: offsets.Position{Next: 5}}}
		x := newBench(t, newBroker(orders(0)), withLog(&logRange{end: 10}), withStore(s))
		k := x.claim(orders(0))
		for fence := int64(1); fence <= 2; fence++ {
			if got, err := k.Start(t.Context()); err != nil || got.Fence != fence {
				t.Errorf("got %+v, %v", got, err)
			}
		}
		if err := k.Advance(t.Context(), 6); err != nil || s.next != 6 || s.fence != 2 {
			t.Errorf("advanced to %d with fence %d, %v", s.next, s.fence, err)
		}
		s.err = messages.ErrFenced
		if err := k.Advance(t.Context(), 7); !errors.Is(err, messages.ErrFenced) {
			t.Errorf("fenced: %v", err)
		}
	})
}

func TestAdvanceWithoutTheMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, newBroker(orders(0)), withStore(&store{}))
		if err := x.claim(orders(0)).Advance(t.Context(), 6); err == nil || !strings.Contains(err.Error(), "no method Advance") {
			t.Errorf("a store without the method: %v", err)
		}
		y := newBench(t, newBroker(orders(0)))
		if err := y.claim(orders(0)).Advance(t.Context(), 6); err != nil {
			t.Errorf("no store: %v", err)
		}
	})
}

// With a store alone nothing goes to Kafka, and nobody waits; done is still not called by Commit itself.
func TestStoreAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		x := newBench(t, b, withStore(&store{}))
		k := x.claim(orders(0))
		var a answered
		k.Commit(at(5), true, a.notBy(t, "claim).Commit"))
		if err := k.Flush(t.Context()); err != nil {
			t.Errorf("Flush: %v", err)
		}
		synctest.Wait()
		if errs := a.all(); len(errs) != 1 || errs[0] != nil {
			t.Errorf("done with %v", errs)
		}
		k.Close()
		time.Sleep(time.Minute)
		if len(b.requests()) != 0 || len(x.inbox.told()) != 0 {
			t.Errorf("%d requests, told %q", len(b.requests()), x.inbox.words())
		}
	})
}

// AlsoToKafka reports progress, for lag displays.
func TestAlsoToKafka(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		x := newBench(t, b, withStore(&store{}, func(s *Settings) { s.AlsoToKafka = true }))
		k := x.claim(orders(0))
		k.Commit(at(5), false, nil)
		if err := k.Flush(t.Context()); err != nil || b.committed(orders(0)).offset != 5 {
			t.Errorf("committed %+v, %v", b.committed(orders(0)), err)
		}
	})
}

// The last owner stored 7, and died before it told Kafka. No record follows: Kafka's displays would show a lag for ever.
func TestAlsoToKafkaFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(orders(0))
		x := newBench(t, b, withLog(&logRange{end: 7}), withStore(&store{pos: offsets.Position{Next: 7}}, func(s *Settings) { s.AlsoToKafka = true }))
		k := x.claim(orders(0))
		if _, err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := k.Flush(t.Context()); err != nil || b.committed(orders(0)).offset != 7 {
			t.Errorf("committed %+v, %v", b.committed(orders(0)), err)
		}
	})
}

// A store is a user's code: its panic is an error, its Goexit too, and its error keeps its identity.
func TestAStoreThatFails(t *testing.T) {
	away := errors.New("the database is away")
	for _, c := range []struct {
		text string
		s    *store
		is   func(error) bool
	}{
		{"an error", &store{err: away}, func(err error) bool { return errors.Is(err, away) }},
		{"fenced", &store{err: messages.ErrFenced}, func(err error) bool { return errors.Is(err, messages.ErrFenced) }},
		{"a panic", &store{do: func(context.Context) { panic(away) }}, func(err error) bool {
			var p *messages.PanicError
			return errors.As(err, &p) && errors.Is(err, away) && strings.Contains(string(p.Stack), "store_test.go")
		}},
		{"Goexit", &store{do: func(context.Context) { runtime.Goexit() }}, func(err error) bool {
			var p *messages.PanicError
			return errors.As(err, &p) && p.Value == messages.Goexit
		}},
		{"the end of the context", &store{do: func(ctx context.Context) { <-ctx.Done() }}, func(err error) bool {
			return errors.Is(err, context.DeadlineExceeded)
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			x := newBench(t, newBroker(orders(0)), withLog(&logRange{}), withStore(c.s))
			_, err := x.claim(orders(0)).Start(short(t, time.Second))
			if !c.is(err) || !strings.Contains(err.Error(), "orders/0") {
				t.Errorf("%s: %v", c.text, err)
			}
		})
	}
}

// A store that does not look at its context holds up nobody.
func TestAStoreThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		s := &store{do: func(context.Context) { <-release }}
		x := newBench(t, newBroker(orders(0)), withLog(&logRange{}), withStore(s))
		k := x.claim(orders(0))
		time.AfterFunc(time.Second, k.Close)
		if _, err := k.Start(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}
