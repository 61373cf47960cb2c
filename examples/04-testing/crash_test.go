package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
)

var day = []string{moved("pen", 5), moved("ink", 2), moved("pen", -1), moved("ink", -2), moved("pen", 3)}

// replayed is what a consumer makes of the day that nothing disturbs.
func replayed(t *testing.T, config func(*ledger) consumer.Config) stock {
	l := newLedger()
	consumertest.Run(t, config(l), func(_ *testing.T, k *consumertest.Kit) { k.Assign("movements", 0).Append(day...) })
	return l.amounts(0)
}

// The process dies after record n was booked and before anybody knows, for every n.
func TestBillingIsCrashSafe(t *testing.T) {
	want := replayed(t, billing)
	for n := range int64(len(day)) {
		l := newLedger()
		dying := billing(l)
		dying.Handler = func(ctx context.Context, rec *consumer.Record) error {
			if err := bill(l)(ctx, rec); err != nil || rec.Offset != n {
				return err
			}
			return consumertest.Block()(ctx, rec) // it never gets any further
		}
		consumertest.Run(t, dying, func(_ *testing.T, k *consumertest.Kit) {
			k.Assign("movements", 0).Append(day...)
			_ = k.Kill()
		})
		consumertest.Run(t, billing(l), func(_ *testing.T, k *consumertest.Kit) { // the next process
			k.Produce("movements", 0, day...)
			k.Assign("movements", 0)
		})
		equal(t, "billed", l.amounts(0), want)
	}
}

// The actor crashes after record n, for every n: its memory is gone, the process goes on.
func TestShelvesAreCrashSafe(t *testing.T) {
	want := replayed(t, shelves)
	for n := range int64(len(day)) {
		l, at := newLedger(), n
		cfg := shelves(l)
		cfg.Actor = func() actor.Actor { return falling{newShelf(l), &at} }
		consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
			p := k.Assign("movements", 0)
			p.Append(day...)
			k.Advance(time.Second)
			p.Send(&Count{Tell: func(s stock) { equal(t, "in memory", s, want) }})
			if at != -1 {
				t.Errorf("it did not fall over at record %d", n)
			}
		})
		equal(t, "in the ledger", l.amounts(0), want)
	}
}

// Record n is booked, and the database's answer is lost on the way, for every n: the handler fails and is tried again.
func TestNothingIsBilledTwice(t *testing.T) {
	want := replayed(t, billing)
	for n := range int64(len(day)) {
		l := newLedger()
		cfg := billing(l)
		cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
			err := bill(l)(ctx, rec)
			if rec.Offset == n && rec.Attempt == 0 {
				err = errors.New("the connection was reset")
			}
			return err
		}
		consumertest.Run(t, cfg, func(_ *testing.T, k *consumertest.Kit) {
			k.Assign("movements", 0).Append(day...)
			k.Advance(time.Second)
		})
		equal(t, "billed", l.amounts(0), want)
	}
}

// The partition goes to another member while a handler hangs, and the old owner books after all.
func TestALateBookingIsFencedOff(t *testing.T) {
	l := newLedger()
	cfg, late := billing(l), error(nil)
	cfg.Handler = func(ctx context.Context, rec *consumer.Record) error {
		if rec.Offset == 2 && rec.Fence == 1 {
			_ = consumertest.Block()(ctx, rec)
			late = bill(l)(ctx, rec)
			return late
		}
		return bill(l)(ctx, rec)
	}
	consumertest.Run(t, cfg, func(t *testing.T, k *consumertest.Kit) {
		first := k.Assign("movements", 0)
		first.Append(day...)
		first.Lose(errors.New("the session has timed out"))
		k.Advance(time.Minute) // the handler is left behind
		k.Assign("movements", 0)
		first.Release()
		if !errors.Is(late, messages.ErrFenced) {
			t.Errorf("the late booking was answered with %v", late)
		}
	})
	equal(t, "billed", l.amounts(0), replayed(t, billing))
}
