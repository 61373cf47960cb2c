package consumertest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// parksAt is a Config whose handler cannot handle a record with the value "poison" until it is cured, and parks it.
func parksAt(poison string) (cfg consumer.Config, cured *atomic.Bool) {
	cured = &atomic.Bool{}
	cfg.Handler = func(_ context.Context, r *messages.Record) error {
		if string(r.Value) == poison && !cured.Load() {
			return errDown
		}
		return nil
	}
	cfg.Policy = supervisor.Policy{supervisor.On(supervisor.Any(), supervisor.Park("poison"))}
	return cfg, cured
}

// values are n values with "poison" at the first of them.
func values(n int) []string {
	all := []string{"poison"}
	for i := range n - 1 {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

// wantOffsets: each once and in order, but for the one at from, which was tried twice.
func wantOffsets(t *testing.T, p *consumertest.Partition, from, to int64) {
	t.Helper()
	want := []int64{from}
	for o := from; o < to; o++ {
		want = append(want, o)
	}
	if got := p.Offsets(); !slices.Equal(got, want) {
		t.Errorf("delivered %v, want %d twice and then everything up to %d once", got, from, to)
	}
}

func sheds(k *consumertest.Kit) (all []messages.Shed) {
	for _, e := range k.Events() {
		if s, ok := e.(*messages.Shed); ok {
			all = append(all, *s)
		}
	}
	return all
}

// A partition is parked for longer than Backlog.ShedAfter: what waited behind its head is dropped, shown, and comes again
// when an operator says that the partition may go on.
func TestALongParkShedsAndLosesNothing(t *testing.T) {
	cfg, cured := parksAt("poison")
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append(values(100)...)
		k.Advance(59 * time.Second)
		if s := p.Status(); s.State != messages.StateParked || s.Depth != 100 || s.Shed != 0 {
			t.Errorf("before its time: %v, depth %d, shed %d", s.State, s.Depth, s.Shed)
		}
		k.Advance(time.Second)
		s := p.Status()
		if s.State != messages.StateParked || s.Head != 0 || s.Attempt != 1 || s.Depth != 1 || s.Shed != 99 || s.ShedFrom != 1 || s.Lag != 100 {
			t.Errorf("parked for long: %+v", s)
		}
		if got := sheds(k); len(got) != 1 || got[0].From != 1 || got[0].Records != 99 || got[0].Claim.Topic != "orders" {
			t.Errorf("events %+v", got)
		}
		p.Append("more", "and more")
		if s := p.Status(); s.Depth != 1 || s.Lag != 102 {
			t.Errorf("depth %d, lag %d: it is not fetched, and its log grows", s.Depth, s.Lag)
		}
		if k.Status().Bytes != s.Bytes {
			t.Errorf("%d bytes of all backlogs, %d of the only one", k.Status().Bytes, s.Bytes)
		}
		if got := p.Committed(); got != 0 {
			t.Errorf("committed %d", got)
		}
		k.Advance(48 * time.Hour)
		cured.Store(true)
		if err := p.Retry(0); err != nil {
			t.Errorf("un-park: %v", err)
		}
		wantOffsets(t, p, 0, 102)
		if s := p.Status(); s.State != messages.StateIdle || s.Shed != 0 || s.Lag != 0 || p.Committed() != 102 {
			t.Errorf("%v, shed %d, lag %d, committed %d", s.State, s.Shed, s.Lag, p.Committed())
		}
	})
}

func TestSkippedAfterALongPark(t *testing.T) {
	cfg, _ := parksAt("poison")
	cfg.Backlog.ShedAfter = time.Second
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append(values(10)...)
		k.Advance(time.Hour)
		if err := p.Skip(0); err != nil {
			t.Errorf("skip: %v", err)
		}
		if got := p.Offsets(); len(got) != 10 || p.Committed() != 10 {
			t.Errorf("delivered %v, committed %d", got, p.Committed())
		}
	})
}

// The next owner of a partition whose tail was shed gets the head, parked, and everything behind it.
func TestRevokedAfterALongPark(t *testing.T) {
	cfg, cured := parksAt("poison")
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append(values(10)...)
		k.Advance(time.Hour)
		if took := p.Revoke(); took > 0 || p.Committed() != 0 {
			t.Errorf("took %v, committed %d", took, p.Committed())
		}
		next := k.Assign("orders", 0)
		if s := next.Status(); s.State != messages.StateParked || s.Depth != 10 {
			t.Errorf("the next owner: %v, depth %d", s.State, s.Depth)
		}
		k.Advance(time.Hour)
		if s := next.Status(); s.Depth != 1 || s.Shed != 9 {
			t.Errorf("the next owner, after an hour: depth %d, shed %d", s.Depth, s.Shed)
		}
		cured.Store(true)
		if err := next.Retry(0); err != nil {
			t.Errorf("un-park: %v", err)
		}
		if got := next.Offsets(); len(got) != 10 || next.Committed() != 10 {
			t.Errorf("delivered %v, committed %d", got, next.Committed())
		}
	})
}

// Retention has deleted what was shed, or a part of it. The head is in memory and is handled; where the log does not go
// on, Offsets.OutOfRange says what is done, and an event tells of it. Nothing is jumped over without a word.
func TestRetentionOvertakesWhatWasShed(t *testing.T) {
	for name, c := range map[string]struct {
		choice   consumer.Choice
		start    int64 // of the log, when the partition goes on
		moved    []string
		offsets  []int64 // after the first attempt
		parkedAt int64   // -1: not
	}{
		"the head only": {consumer.Fail, 1, nil, []int64{0, 1, 2, 3, 4, 5}, -1},
		"earliest":      {consumer.Earliest, 4, []string{"1 to 4: out of range"}, []int64{0, 4, 5}, -1},
		"latest":        {consumer.Latest, 4, []string{"1 to 6: out of range"}, []int64{0}, -1},
		"fail":          {consumer.Fail, 4, nil, []int64{0}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, cured := parksAt("poison")
			cfg.Offsets.OutOfRange = c.choice
			consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
				p := k.Assign("orders", 0)
				p.Append(values(6)...)
				k.Advance(time.Hour)
				p.Truncate(c.start)
				cured.Store(true)
				if err := p.Retry(0); err != nil {
					t.Errorf("un-park: %v", err)
				}
				var moved []string
				for _, e := range k.Events() {
					if m, ok := e.(*messages.Moved); ok {
						moved = append(moved, fmt.Sprintf("%d to %d: %s", m.From, m.To, m.Why))
					}
				}
				if got := p.Offsets()[1:]; !slices.Equal(got, c.offsets) || !slices.Equal(moved, c.moved) {
					t.Errorf("delivered %v, moved %q; want %v, %q", got, moved, c.offsets, c.moved)
				}
				s := p.Status()
				if (s.State == messages.StateParked) != (c.parkedAt >= 0) || c.parkedAt >= 0 && s.Head != c.parkedAt {
					t.Errorf("%v at %d because of %q", s.State, s.Head, s.Reason)
				}
				if c.parkedAt < 0 {
					return
				}
				if err := p.Skip(c.parkedAt); err != nil {
					t.Errorf("skip: %v", err)
				}
				if got := p.Offsets()[2:]; !slices.Equal(got, []int64{4, 5}) || p.Committed() != 6 {
					t.Errorf("delivered %v after a skip, committed %d", got, p.Committed())
				}
			})
		})
	}
}

// An operator says "retry" again and again, while the source, which is to go back, cannot be read.
func TestRetriesWhileTheSourceCannotGoBack(t *testing.T) {
	cfg, cured := parksAt("poison")
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append(values(10)...)
		k.Advance(time.Hour)
		p.FailSource(errDown)
		if err := p.Retry(0); err != nil { // fails again, and parks
			t.Errorf("un-park: %v", err)
		}
		k.Advance(time.Hour)
		cured.Store(true)
		if err := p.Retry(0); err != nil {
			t.Errorf("un-park: %v", err)
		}
		for range 3 {
			k.Advance(time.Hour)
			if s := p.Status(); s.State != messages.StateParked || s.Head != 1 || !strings.Contains(s.Reason, errDown.Error()) {
				t.Errorf("%v at %d because of %q", s.State, s.Head, s.Reason)
			}
			if err := p.Retry(1); err != nil {
				t.Errorf("retry: %v", err)
			}
		}
		p.FailSource(nil)
		if err := p.Retry(1); err != nil {
			t.Errorf("retry: %v", err)
		}
		if got, want := p.Offsets(), []int64{0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) || p.Committed() != 10 {
			t.Errorf("delivered %v, committed %d", got, p.Committed())
		}
	})
}

// A store says where the partition stands: the head was done, and more.
func TestSeekToAfterALongPark(t *testing.T) {
	cfg, _ := parksAt("poison")
	handler := cfg.Handler
	cfg.Handler = func(ctx context.Context, r *messages.Record) error {
		if r.Offset == 0 && r.Attempt > 0 {
			return messages.SeekTo(5)
		}
		return handler(ctx, r)
	}
	cfg.Offsets = consumer.Offsets{Store: &consumertest.Store{}, Start: consumer.Earliest}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("orders", 0)
		p.Append(values(10)...)
		k.Advance(time.Hour)
		if s := p.Status(); s.Shed != 9 {
			t.Errorf("shed %d", s.Shed)
		}
		if err := p.Retry(0); err != nil {
			t.Errorf("un-park: %v", err)
		}
		if got, want := p.Offsets(), []int64{0, 0, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
			t.Errorf("delivered %v, want %v", got, want)
		}
	})
}

// Parked partitions fill the bound of all; after ShedAfter their neighbour has it for itself.
func TestNeighboursHaveWhatAParkGivesBack(t *testing.T) {
	cfg, _ := parksAt("poison")
	cfg.Backlog = consumer.Backlog{Bytes: 600_000, TotalBytes: 1_000_000}
	handler := cfg.Handler
	cfg.Handler = func(ctx context.Context, r *messages.Record) error {
		if string(r.Value) == "wait" {
			return consumertest.Block()(ctx, r)
		}
		return handler(ctx, r)
	}
	large := slices.Repeat([]string{strings.Repeat("x", 9744)}, 200) // 10,000 B each
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		parked, neighbour := k.Assign("orders", 0), k.Assign("orders", 1)
		parked.Append(append([]string{"poison"}, large...)...)
		neighbour.Append(append([]string{"wait"}, large...)...)
		before := neighbour.Status().Bytes
		if p := parked.Status().Bytes; p < 400_000 || before > 400_000 {
			t.Fatalf("the parked one holds %d bytes, its neighbour %d", p, before)
		}
		k.Advance(time.Minute)
		if p, n := parked.Status().Bytes, neighbour.Status().Bytes; p > 1000 || n <= before || n < 400_000 {
			t.Errorf("the parked one holds %d bytes, its neighbour %d, and %d before", p, n, before)
		}
	})
}
