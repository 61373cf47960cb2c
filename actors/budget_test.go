package actors

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ottla-go/ottla/messages"
)

func TestShare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                      string
		limit, used, own, n, want int64
	}{
		{"nothing used: the shared half", 1000, 0, 0, 4, 500},
		{"a busy one takes what is left of the shared half", 1000, 300, 300, 4, 200},
		{"shared half used up: the largest pauses", 1000, 500, 400, 4, 0},
		{"shared half used up: a small one goes on to its equal part", 1000, 500, 100, 4, 25},
		{"nothing held: the equal part", 1000, 500, 0, 4, 125},
		{"a rebalance brought others: not above the limit", 1000, 950, 0, 4, 50},
		{"limit reached", 1000, 1000, 0, 4, 0},
		{"above the limit", 1000, 1200, 0, 4, 0},
		{"nobody has joined", 1000, 600, 0, 0, 400},
	} {
		if got := share(c.limit, c.used, c.own, c.n); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// fed is a partition of a test that is fed and worked off by hand.
type fed struct {
	*Mailbox

	seek    uint64
	next    int64
	woken   bool
	refused bool // the last Room was 0, and no Wake came since
}

func feed(budget *Budget) *fed {
	f := &fed{}
	f.Mailbox = NewMailbox(Settings{
		Context: context.Background(), Records: 1 << 20, Bytes: 10 << 20, Budget: budget,
		Wake: func() { f.woken, f.refused = true, false },
	})
	f.seek = f.Open(0, 0, Progress{})
	return f
}

// recordSize is what each record of these tests counts for.
const recordSize = 20_000

var recordValue = strings.Repeat("x", recordSize-messages.RecordOverhead)

// fetch delivers what fits into at most room bytes, but at least one record.
func (f *fed) fetch(room int) {
	var s samples
	for left := room; len(s) == 0 || left >= recordSize; left -= recordSize {
		s = append(s, sample{f.next, recordValue})
		f.next++
	}
	f.Deliver(f.seek, s, Extent{})
}

// work finishes up to n records, as the running mailbox does.
func (f *fed) work(n int) {
	f.mu.Lock()
	for range n {
		t, ok := f.backlog.Take()
		if !ok {
			break
		}
		f.finish(&messages.Record{Offset: t.Offset})
	}
	f.account()
	wake := f.wake
	f.wake = false
	f.mu.Unlock()
	if wake {
		f.set.Wake()
	}
	f.set.Budget.relieve()
}

// Partitions come and go, are fed as much as they may be, are worked off, or not (parked).
func TestBudgetHolds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		if err := budgeted(seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func budgeted(seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 9))
	limit := 400_000 + rnd.IntN(20_000_000)
	budget := NewBudget(limit)
	var all []*fed
	over := 0 // batches that came when the limit was used up
	for step := range 300 {
		if len(all) == 0 || len(all) < 40 && rnd.IntN(8) == 0 {
			all = append(all, feed(budget))
		}
		i := rnd.IntN(len(all))
		f := all[i]
		switch die := rnd.IntN(10); {
		case die < 6:
			own := f.Snapshot().Bytes
			room := f.Room()
			switch {
			case own == 0 && room <= 0:
				return fmt.Errorf("step %d: a partition that holds nothing has no room", step)
			case room > 0:
				if room < recordSize {
					over++
				}
				f.fetch(room)
				f.refused = false
			default:
				f.refused = true
			}
		case die < 9:
			f.work(rnd.IntN(100))
		default:
			f.Close()
			all = append(all[:i], all[i+1:]...)
			if _, there := budget.refused[f.Mailbox]; there || f.Room() >= 0 {
				return fmt.Errorf("step %d: a mailbox that was closed is kept, or has room", step)
			}
		}
		if used := budget.Used(); used > int64(limit+over*recordSize) {
			return fmt.Errorf("step %d: %d used of %d, %d batches over", step, used, limit, over)
		}
		if budget.Used() <= int64(limit)/2 {
			over = 0
		}
	}
	for _, f := range all {
		f.work(1 << 20)
	}
	if budget.Used() != 0 {
		return fmt.Errorf("%d used after all was worked off", budget.Used())
	}
	for i, f := range all {
		if f.refused {
			return fmt.Errorf("partition %d was refused and never woken", i)
		}
	}
	for _, f := range all {
		f.Close()
	}
	if budget.Used() != 0 || budget.members.Load() != 0 || len(budget.refused) != 0 {
		return fmt.Errorf("after all have left: %d used, %d members, %d refused", budget.Used(), budget.members.Load(), len(budget.refused))
	}
	return nil
}

// Two partitions have had their equal parts of a half when a rebalance brings fourteen more. Each of those may
// have a sixteenth of that half, a fifteenth, and so on down: together far more than the half itself.
func TestBudgetHoldsWhenARebalanceBringsPartitions(t *testing.T) {
	t.Parallel()
	const limit, partitions = 16_000_000, 16
	budget := NewBudget(limit)
	for range partitions {
		f := feed(budget)
		f.fetch(f.Room())
	}
	if budget.Used() > limit+partitions*recordSize {
		t.Errorf("%d used of %d", budget.Used(), limit)
	}
}

// A parked partition holds as much as it may; beside it the others still run.
func TestBudgetLeavesRoomBesideAParkedPartition(t *testing.T) {
	t.Parallel()
	budget := NewBudget(1_000_000)
	parked := feed(budget)
	for {
		room := parked.Room()
		if room <= 0 {
			break
		}
		parked.fetch(room)
	}
	parked.Park("why", messages.ClassHandler)
	other := feed(budget)
	if room := other.Room(); room < leastRoom {
		t.Errorf("a partition beside a parked one has room for %d bytes", room)
	}
}

// The one that held most is revoked: who was refused because of it need not wait for its own next record.
func TestBudgetWakesWhenAPartitionLeaves(t *testing.T) {
	t.Parallel()
	budget := NewBudget(1_000_000)
	small, large := feed(budget), feed(budget)
	small.fetch(240_000) // nearly its equal part
	large.fetch(large.Room())
	if room := small.Room(); room != 0 {
		t.Fatalf("room for %d bytes, want none: the shared half is used up", room)
	}
	small.woken = false
	large.Close()
	if !small.woken {
		t.Error("nobody was woken")
	}
	if room := small.Room(); room < leastRoom {
		t.Errorf("room for %d bytes afterwards", room)
	}
}

// A looks: the budget is full. B empties its backlog, sees nobody waiting and wakes nobody. A enters itself, and
// would wait for a wake that has been, if it did not look again.
func TestBudgetLooksAgainAfterEntering(t *testing.T) {
	t.Parallel()
	budget := NewBudget(1_000_000)
	a := feed(budget)
	budget.add(1_000_000)
	if _, ok := budget.allows(300_000); ok {
		t.Fatal("a full budget allows more")
	}
	budget.add(-1_000_000)
	if woken := len(budget.relieved()); woken != 0 {
		t.Fatalf("%d woken, nobody was waiting", woken)
	}
	if _, ok := budget.enter(a.Mailbox, 300_000); !ok {
		t.Error("refused beside an empty budget")
	}
}
