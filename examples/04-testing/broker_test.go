package main

import (
	"log/slog"
	"testing"

	"github.com/ottla-go/ottla/consumer/consumertest"
)

// On brokers in the test's process: the same Config with the group's protocol and real connections, in real time.
func TestOnBrokers(t *testing.T) {
	b := consumertest.Broker(t, "movements")
	l := newLedger()
	cfg := billing(l)
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Offsets.AlsoToKafka = true // so that the test can wait for it
	b.Start(cfg)
	for p := range int32(4) {
		b.Produce("movements", p, day...)
	}
	b.Move() // every leader and the coordinator change
	for p := range int32(4) {
		b.AwaitCommitted("billing", "movements", p, int64(len(day)))
		equal(t, "billed", l.amounts(p), stock{"pen": 700, "ink": 0})
	}
}
