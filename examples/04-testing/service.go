package main

import (
	"context"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// movement is what the records say.
type movement struct {
	Item   string `json:"item"`
	Pieces int    `json:"pieces"`
	Cents  int    `json:"cents"`
}

var errNoItem = errors.New("a movement of nothing")

func decode(rec *messages.Record) (movement, error) {
	m, err := messages.DecodeJSON[movement](rec)
	if err == nil && m.Item == "" {
		err = errNoItem
	}
	return m, err
}

// policy is for both consumers.
var policy = supervisor.Policy{
	supervisor.On(supervisor.Is(errNoItem), supervisor.Park("somebody has to ask the sender")),
	supervisor.On(supervisor.Class(messages.ClassDecode), supervisor.Skip()),
	supervisor.On(supervisor.Panic(), supervisor.Restart(supervisor.Every(time.Second)).Times(2), supervisor.Park("it panics")),
	supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Quick())),
}

// bill is the handler of the second consumer, which keeps nothing in memory.
func bill(l *ledger) consumer.Handler {
	return func(_ context.Context, rec *consumer.Record) error {
		m, err := decode(rec)
		if err != nil {
			return err
		}
		return l.book(rec, m.Item, m.Cents)
	}
}

// shelves and billing are what production runs, but for the brokers: tests run the same.
func shelves(l *ledger) consumer.Config {
	return consumer.Config{
		Group: "shelves", Topics: []string{"movements"}, Policy: policy,
		Actor:   func() actor.Actor { return newShelf(l) },
		Offsets: consumer.Offsets{Store: l, Start: consumer.Earliest},
	}
}

func billing(l *ledger) consumer.Config {
	return consumer.Config{
		Group: "billing", Topics: []string{"movements"}, Policy: policy,
		Handler: bill(l),
		Offsets: consumer.Offsets{Store: l, Start: consumer.Earliest},
	}
}
