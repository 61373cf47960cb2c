package main

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
)

type stock = map[string]int

// moved is a record's value.
func moved(item string, pieces int) string {
	value, _ := json.Marshal(movement{Item: item, Pieces: pieces, Cents: 100 * pieces})
	return string(value)
}

func equal(t *testing.T, what string, got, want stock) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Without any kit: an actor is a function of its message, and a record a literal.
func TestDecode(t *testing.T) {
	for value, want := range map[string]error{moved("pen", 5): nil, `{"pieces":5}`: errNoItem} {
		if _, err := decode(&messages.Record{Value: []byte(value)}); err != want {
			t.Errorf("%s: %v, want %v", value, err, want)
		}
	}
}

func TestEachPartitionHasAShelfOfItsOwn(t *testing.T) {
	l := newLedger()
	consumertest.Run(t, shelves(l), func(t *testing.T, k *consumertest.Kit) {
		k.Assign("movements", 0).Append(moved("pen", 5), moved("pen", -2), moved("ink", 1))
		k.Assign("movements", 1).Append(moved("pen", 7))
	})
	equal(t, "partition 0", l.amounts(0), stock{"pen": 3, "ink": 1})
	equal(t, "partition 1", l.amounts(1), stock{"pen": 7})
}

func TestNothingMovesDuringAStocktaking(t *testing.T) {
	l := newLedger()
	consumertest.Run(t, shelves(l), func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("movements", 0)
		p.Append(moved("pen", 5))
		p.Send(&Count{Tell: func(s stock) { equal(t, "counted", s, stock{"pen": 5}) }})
		p.Append(moved("pen", -2), moved("pen", -1))
		k.Advance(time.Hour)
		equal(t, "during the stocktaking", l.amounts(0), stock{"pen": 5})
		p.Send(&Counted{})
		equal(t, "after it", l.amounts(0), stock{"pen": 2})
	})
}

// Another member gets the partition in the middle of it: what was kept is booked, and nobody is held up.
func TestARebalanceEndsAStocktaking(t *testing.T) {
	l := newLedger()
	consumertest.Run(t, shelves(l), func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("movements", 0)
		p.Send(&Count{Tell: func(stock) {}})
		p.Append(moved("pen", 5), moved("pen", 1))
		if took := p.Revoke(); took > 0 {
			t.Errorf("the rebalance was held up for %v", took)
		}
		equal(t, "when it was given up", l.amounts(0), stock{"pen": 5})
		k.Assign("movements", 0)
		equal(t, "at the next owner", l.amounts(0), stock{"pen": 6})
	})
}

// falling is a shelf that panics once, after the record at the offset was booked.
type falling struct {
	*shelf

	at *int64
}

func (f falling) Receive(ctx actor.Context) {
	f.shelf.Receive(ctx)
	if rec, ok := ctx.Message().(*messages.Record); ok && rec.Offset == *f.at {
		*f.at = -1
		panic("the shelf falls over")
	}
}

func TestAShelfThatFallsOverKnowsWhatItHad(t *testing.T) {
	l, at := newLedger(), int64(1)
	cfg := shelves(l)
	cfg.Actor = func() actor.Actor { return falling{newShelf(l), &at} }
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("movements", 0)
		p.Append(moved("pen", 1), moved("pen", 2), moved("pen", 4))
		k.Advance(time.Second)
		p.Send(&Count{Tell: func(s stock) { equal(t, "in memory", s, stock{"pen": 7}) }})
		if d := p.Deliveries(); d[len(d)-1].Incarnation != 2 {
			t.Errorf("deliveries %v, want the last one by a fresh incarnation", d)
		}
	})
	equal(t, "in the ledger", l.amounts(0), stock{"pen": 7})
}
