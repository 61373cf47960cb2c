// Testing: a project in small, with the tests that its owner would write.
//
//	go test ./examples/04-testing
//	go run ./examples/04-testing
//
// Two consumers of one topic: shelf.go has an actor with state per partition and behaviours, service.go a handler, and
// both have an offset store, ledger.go. The tests run their Config without a broker, in virtual time, and then on brokers
// in the test's process: shelf_test.go, policy_test.go, crash_test.go, broker_test.go. docs/testing.md goes with it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/examples/internal/demo"
)

const movements, partitions = 400, 4

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	addrs, end, err := demo.Broker("movements", partitions)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	pieces, cents := newLedger(), newLedger()
	var members []*demo.Member
	for _, cfg := range []consumer.Config{shelves(pieces), billing(cents)} {
		cfg.Brokers, cfg.Logger = addrs, slog.New(slog.DiscardHandler)
		m, err := demo.Join(cfg, demo.NewTally(), nil)
		if err != nil {
			return err
		}
		members = append(members, m)
	}
	err = demo.Produce(ctx, addrs, "movements", movements, 0, func(n int) []byte {
		value, _ := json.Marshal(movement{Item: [...]string{"pen", "ink"}[n%2], Pieces: 1, Cents: n})
		return value
	})
	if err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for pieces.booked()+cents.booked() < 2*movements {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("not everything was booked in time")
		}
	}
	for _, m := range members {
		if err := m.Leave(); err != nil {
			return err
		}
	}
	fmt.Println("pieces:", sum(pieces), "cents:", sum(cents))
	return nil
}

func sum(l *ledger) map[string]int {
	total := map[string]int{}
	for p := range int32(partitions) {
		for item, n := range l.amounts(p) {
			total[item] += n
		}
	}
	return total
}
