package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ottla-go/ottla/consumer/consumertest"
	"github.com/ottla-go/ottla/messages"
)

// The table that a policy is, as a table: no actor and no clock is needed.
func TestPolicy(t *testing.T) {
	const retry, restart, skip, park = messages.ActionRetry, messages.ActionRestart, messages.ActionSkip, messages.ActionPark
	of := func(class messages.Class, err error) messages.Failure {
		return messages.Failure{Class: class, Err: err}
	}
	down := of(messages.ClassHandler, errors.New("the database is down"))
	panics := of(messages.ClassPanic, errors.New("nil map"))
	for _, tt := range []struct {
		name     string
		failures []messages.Failure // of one record, one after the other
		want     []messages.Action
	}{
		{"no item", []messages.Failure{of(messages.ClassHandler, fmt.Errorf("booking: %w", errNoItem))}, []messages.Action{park}},
		{"not to be read", []messages.Failure{of(messages.ClassDecode, errors.New("json"))}, []messages.Action{skip}},
		{"down", []messages.Failure{down, down, down, down}, []messages.Action{retry, retry, retry, retry}},
		{"panics", []messages.Failure{panics, panics, panics}, []messages.Action{restart, restart, park}},
		{"one by one", []messages.Failure{down, panics, down, panics}, []messages.Action{retry, restart, retry, restart}},
	} {
		var got []messages.Action
		for _, d := range policy.Decide(tt.failures...) {
			got = append(got, d.Action)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What Decide cannot show: that the handler's errors are those that the policy waits for.
func TestAMovementOfNothingParksItsPartition(t *testing.T) {
	l := newLedger()
	consumertest.Run(t, billing(l), func(t *testing.T, k *consumertest.Kit) {
		p := k.Assign("movements", 0)
		p.Append("nonsense", `{"cents":1}`, moved("pen", 1))
		if s := p.Status(); s.State != messages.StateParked || s.Head != 1 {
			t.Errorf("%v at %d, want Parked at 1: nonsense is skipped, a movement of nothing is not", s.State, s.Head)
		}
		if err := p.Skip(1); err != nil { // an operator has asked the sender
			t.Errorf("skip: %v", err)
		}
		equal(t, "billed", l.amounts(0), stock{"pen": 100})
	})
}
