package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// What cannot be fetched parks the partition, without a head: no rule is asked. The records before are finished first,
// and other partitions run on.
func TestASourceThatFailsParks(t *testing.T) {
	cfg := config{Handler: consumertest.Script(consumertest.Work(time.Minute)), Policy: always(supervisor.Skip())}
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		p, other := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Corrupt(2, errBoom)
		p.Append("a", "b", "c", "d")
		expect(t, "state while there is something to do", p.Status().State, messages.StateBusy)
		k.Advance(time.Minute)
		s := p.Status()
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1")
		expect(t, "state", s.State, messages.StateParked)
		expect(t, "head", s.Head, 2)
		expect(t, "class", s.Failure.Class, messages.ClassSource)
		expect(t, "committed", p.Committed(), 2)
		other.Append("x")
		expect(t, "another partition's", other.Committed(), 1)
		if e := eventsOf[*messages.Parked](k); len(e) != 1 || e[0].Head != p.Head(2) {
			t.Errorf("events %+v", e)
		}
		expect(t, "attempts that were charged", lastCommit(t, p).Equal(actors.Progress{Next: 2}), true)

		if err := p.Retry(1); err == nil {
			t.Error("a command for another offset was not refused")
		}
		if err := p.Retry(2); err != nil { // asks again, in vain
			t.Fatal(err)
		}
		expect(t, "state", p.Status().State, messages.StateParked)
		expect(t, "failures", len(p.Failures()), 2)
		if err := p.Skip(3); err == nil {
			t.Error("a command for another offset was not refused")
		}
		if err := p.Skip(2); err != nil {
			t.Fatal(err)
		}
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1 3#0/1")
		expect(t, "committed", p.Committed(), 4)
		if e := eventsOf[*messages.Skipped](k); len(e) != 1 || e[0].Head != p.Head(2) || e[0].By != "test" {
			t.Errorf("events %+v", e)
		}
		if e := eventsOf[*messages.Moved](k); len(e) != 1 || e[0].From != 2 || e[0].To != 3 {
			t.Errorf("events %+v", e)
		}
	})
}

func TestASourceThatHeals(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.FailSource(errBoom)
		p.Append("b")
		expect(t, "deliveries", attempts(p), "0#0/1")
		p.FailSource(nil)
		if err := p.Retry(1); err != nil {
			t.Fatal(err)
		}
		expect(t, "deliveries", attempts(p), "0#0/1 1#0/1")
		expect(t, "state", p.Status().State, messages.StateIdle)
		expect(t, "committed", p.Committed(), 2)
	})
}

// A park for the source is this claim's own: the next owner asks for itself.
func TestAParkForTheSourceIsNotCarriedOver(t *testing.T) {
	consumertest.Run(t, config{Handler: consumertest.Script()}, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.FailSource(errBoom)
		p.Append("b")
		expect(t, "release took", p.Revoke(), 0)
		p.FailSource(nil)
		next := k.Assign("orders", 0)
		expect(t, "deliveries", attempts(next), "1#0/1")
	})
}

// A committed offset is outside of the log when the claim starts.
func TestOutOfRangeAtTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		choice  int
		parked  bool
		after   string // deliveries
		skipped string
	}{
		"fail":     {0, true, "", "5#0/1 6#0/1"},
		"earliest": {earliest, false, "5#0/1 6#0/1", ""},
		"latest":   {latest, false, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config{Handler: consumertest.Script()}
			switch c.choice {
			case earliest:
				cfg.Offsets.OutOfRange = earliest
			case latest:
				cfg.Offsets.OutOfRange = latest
			}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				first := k.Assign("orders", 0)
				first.Append("a", "b")
				first.Revoke()
				k.Produce("orders", 0, "c", "d", "e", "f", "g")
				first.Truncate(5)
				p := k.Assign("orders", 0)
				expect(t, "deliveries", attempts(p), c.after)
				s := p.Status()
				if c.parked {
					expect(t, "state", s.State, messages.StateParked)
					expect(t, "head", s.Head, 2)
					if err := p.Retry(2); err != nil { // looks it up again, in vain
						t.Fatal(err)
					}
					expect(t, "state", p.Status().State, messages.StateParked)
					if err := p.Skip(2); err != nil {
						t.Fatal(err)
					}
					expect(t, "deliveries", attempts(p), c.skipped)
				} else if e := eventsOf[*messages.Moved](k); len(e) != 1 || e[0].From != 2 || e[0].Claim != p.Claim() {
					t.Errorf("events %+v", e)
				}
				p.Append("h")
				expect(t, "committed", p.Committed(), 8)
			})
		})
	}
}

// The start choice is Fail and nothing is committed: parked at offset -1, until somebody acts.
func TestNothingIsCommittedAndTheStartIsToFail(t *testing.T) {
	cfg := config{Handler: consumertest.Script()}
	cfg.Offsets.Start = -3
	consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
		k.Produce("orders", 0, "a")
		p := k.Assign("orders", 0)
		s := p.Status()
		expect(t, "state", s.State, messages.StateParked)
		expect(t, "head", s.Head, -1)
		if err := p.Skip(-1); err != nil {
			t.Fatal(err)
		}
		expect(t, "deliveries", attempts(p), "0#0/1")
	})
}

// Retention overtakes the partition in the middle of a claim: the backlog is full, and what comes after it is gone.
func TestOutOfRangeInTheMiddleOfAClaim(t *testing.T) {
	for _, goesOn := range []bool{false, true} {
		t.Run(fmt.Sprintf("earliest %v", goesOn), func(t *testing.T) {
			cfg := config{Handler: consumertest.Script(consumertest.Block())}
			cfg.Backlog.Bytes = 600 // two records
			if goesOn {
				cfg.Offsets.OutOfRange = earliest
			}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				p := k.Assign("orders", 0)
				p.Append("a", "b", "c", "d", "e", "f", "g", "h")
				gone := p.Status().Depth // the first offset that was not fetched
				p.Truncate(6)
				p.Release()
				if goesOn {
					expect(t, "committed", p.Committed(), 8)
					expect(t, "deliveries", len(p.Deliveries()), gone+2)
					if e := eventsOf[*messages.Moved](k); len(e) != 1 || e[0].From != int64(gone) || e[0].To != 6 {
						t.Errorf("events %+v", e)
					}
					return
				}
				s := p.Status()
				expect(t, "state", s.State, messages.StateParked)
				expect(t, "head", s.Head, int64(gone))
				expect(t, "committed", p.Committed(), int64(gone))
				if err := p.Skip(int64(gone)); err != nil {
					t.Fatal(err)
				}
				expect(t, "committed", p.Committed(), 8)
			})
		})
	}
}

// The store expects what the log does not hold any more, or not yet (the topic was made anew).
func TestASeekThatIsOutOfRange(t *testing.T) {
	for name, c := range map[string]struct {
		store  int64
		goesOn bool
		want   string
	}{
		"behind, fail":     {2, false, ""},
		"behind, earliest": {2, true, "5#0/1 6#0/1"},
		"ahead, fail":      {100, false, ""},
		"ahead, earliest":  {100, true, "5#0/1 5#0/1 6#0/1"}, // the store is told: it would send us back for ever
	} {
		t.Run(name, func(t *testing.T) {
			store := &consumertest.Store{}
			store.Set("orders", 0, c.store)
			cfg := saving(store, nil)
			if c.goesOn {
				cfg.Offsets.OutOfRange = earliest
			}
			consumertest.Run(t, cfg, func(t *testing.T, k *kit) {
				k.Produce("orders", 0, "a", "b", "c", "d", "e", "f", "g")
				k.Truncate("orders", 0, 5)
				p := k.Assign("orders", 0)
				expect(t, "deliveries", attempts(p), c.want)
				if !c.goesOn {
					expect(t, "state", p.Status().State, messages.StateParked)
					expect(t, "head", p.Status().Head, c.store)
					return
				}
				expect(t, "the store's position", store.Next("orders", 0), 7)
			})
		})
	}
}

// The look-up of what can be read fails itself.
func TestNothingReadableIsKnown(t *testing.T) {
	cfg := config{Handler: consumertest.Script()}
	setup := consumertest.Setup{Config: cfg, Adjust: wrapCommits(func(c supervisor.Commits) supervisor.Commits { return blindCommits{c} })}
	setup.Run(t, func(t *testing.T, k *kit) {
		p := k.Assign("orders", 0)
		p.Append("a")
		p.Corrupt(1, errBoom)
		p.Append("b")
		if err := p.Skip(1); !errors.Is(err, errOther) {
			t.Errorf("skip: %v", err)
		}
		expect(t, "state", p.Status().State, messages.StateParked)
	})
}

// blindCommits do not know what can be read.
type blindCommits struct{ supervisor.Commits }

func (blindCommits) Readable(context.Context, int64, bool) (int64, error) { return 0, errOther }

// The log does not hold the next offset any more, and whether that matters is being asked when an operator, who sees that
// the partition is parked, has it skipped: the skip is carried out, and need not be asked for again. If it cannot find
// where the partition goes on, that is told, and the partition is parked for that.
func TestASkipWhileTheSourceIsAskedAbout(t *testing.T) {
	for name, failed := range map[string]error{"skipped": nil, "not found": errOther} {
		t.Run(name, func(t *testing.T) {
			slow := func(c supervisor.Commits) supervisor.Commits { return slowCommits{c, failed} }
			setup := consumertest.Setup{Config: config{Handler: consumertest.Script()}, Adjust: wrapCommits(slow)}
			setup.Run(t, func(t *testing.T, k *kit) {
				p := unreadableAtOne(k)
				s := p.Status()
				expect(t, "state", s.State, messages.StateParked)
				expect(t, "head", s.Head, 1)
				expect(t, "told", len(eventsOf[*messages.Parked](k)), 0)
				if err := p.Skip(2); err == nil {
					t.Error("a command for another offset was not refused")
				}
				expect(t, "answer", p.Skip(1), failed)
				k.Advance(time.Minute)
				if failed != nil {
					expect(t, "state", p.Status().State, messages.StateParked)
					expect(t, "told", len(eventsOf[*messages.Parked](k)), 1)
					expect(t, "committed", p.Committed(), 1)
					return
				}
				expect(t, "committed", p.Committed(), 4)
				expect(t, "deliveries", attempts(p), "0#0/1 2#0/1 3#0/1")
				expect(t, "told", len(eventsOf[*messages.Parked](k)), 0)
			})
		})
	}
}

// The same, when the operator's word comes even before the supervisor has heard of the source: the report is behind it,
// and is about what has been skipped.
func TestASkipBeforeTheSourceIsHeardOf(t *testing.T) {
	var stall atomic.Pointer[chan struct{}]
	setup := consumertest.Setup{
		Config: config{Handler: consumertest.Script()},
		Adjust: func(set *supervisor.Settings) {
			set.Event = func(e messages.Event) {
				if _, ok := e.(*messages.ClaimLost); ok {
					<-*stall.Load() // the supervisor's turn
				}
			}
		},
	}
	setup.Run(t, func(t *testing.T, k *kit) {
		p, other := k.Assign("orders", 0), k.Assign("orders", 1)
		p.Append("a")
		p.Corrupt(1, errBoom)
		held := make(chan struct{})
		stall.Store(&held)
		other.Lose(errOther)
		k.Tell(&messages.SkipHead{Head: p.Head(1), By: "test"})
		p.Append("b", "c") // parks the partition
		close(held)
		k.Advance(time.Minute)
		expect(t, "deliveries", attempts(p), "0#0/1 2#0/1")
		expect(t, "committed", p.Committed(), 3)
		expect(t, "state", p.Status().State, messages.StateIdle)
		expect(t, "told", len(eventsOf[*messages.Parked](k)), 0)
	})
}

// unreadableAtOne is a partition whose first record is handled, and whose second one is not in the log any more.
func unreadableAtOne(k *kit) *partition {
	p := k.Assign("orders", 0)
	p.Append("a")
	p.Corrupt(1, &supervisor.OutOfRangeError{Offset: 1, Err: errBoom})
	p.Append("b", "c", "d")
	return p
}

// slowCommits take ten milliseconds to find what can be read, or not to.
type slowCommits struct {
	supervisor.Commits
	failed error
}

func (s slowCommits) Readable(ctx context.Context, offset int64, skip bool) (int64, error) {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if skip && s.failed != nil {
		return 0, s.failed
	}
	return s.Commits.Readable(ctx, offset, skip)
}

// wrapCommits puts something between the supervisor and the commits of each claim.
func wrapCommits(wrap func(supervisor.Commits) supervisor.Commits) func(*supervisor.Settings) {
	return func(set *supervisor.Settings) {
		connect := set.Connect
		set.Connect = func(inbox supervisor.Inbox) (supervisor.Link, error) {
			link, err := connect(inbox)
			link.Committer = wrappedCommitter{link.Committer, wrap}
			return link, err
		}
	}
}

type wrappedCommitter struct {
	supervisor.Committer
	wrap func(supervisor.Commits) supervisor.Commits
}

func (w wrappedCommitter) Claim(c messages.Claim) supervisor.Commits {
	return w.wrap(w.Committer.Claim(c))
}
