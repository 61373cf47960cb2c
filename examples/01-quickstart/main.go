// Quickstart: a consumer group of two members, in one process, with a Kafka broker in the same process.
//
//	go run ./examples/01-quickstart
//
// Watch three things happen while orders flow: a record fails twice and then succeeds; a handler panics, and its
// partition's actor is restarted with the same record; a second member joins and leaves.
//
// With -brokers it consumes from a real Kafka until Ctrl-C: the first one drains, the second one stops at once.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/examples/internal/demo"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

const (
	orders     = 4000
	partitions = 8
	flaky      = 400 // this order fails twice
	poisonous  = 900 // this one panics once
)

var errCardReader = errors.New("the card reader does not answer")

// shop is the application: one handler for all partitions.
type shop struct {
	name  string
	tally *demo.Tally
	flaky *atomic.Int32
	panic *atomic.Int32
}

// handle is all that a user has to write. nil finishes the record, an error goes to the policy.
func (s *shop) handle(_ context.Context, rec *consumer.Record, o demo.Order) error {
	switch {
	case o.Number == flaky && s.flaky.Add(1) <= 2:
		sayf(s.name, "%v (order %d) fails, attempt %d", rec, o.Number, rec.Attempt)
		return errCardReader
	case o.Number == poisonous && s.panic.Add(1) == 1:
		sayf(s.name, "%v (order %d) panics, attempt %d", rec, o.Number, rec.Attempt)
		panic("an order that nobody expected")
	}
	s.tally.Finished(rec)
	if rec.Attempt > 0 {
		sayf(s.name, "%v (order %d) succeeds, attempt %d", rec, o.Number, rec.Attempt)
	}
	return nil
}

func (s *shop) config(brokers []string, topic, group string) consumer.Config {
	return consumer.Config{
		Brokers: brokers, Topics: []string{topic}, Group: group,
		Handler: consumer.JSON(s.handle),
		Policy: supervisor.Policy{
			supervisor.On(supervisor.Panic(), supervisor.Restart(supervisor.Every(200*time.Millisecond))),
			supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Every(300*time.Millisecond))),
		},
		HeartbeatInterval: 200 * time.Millisecond,
		Logger:            slog.New(slog.DiscardHandler), // the events below tell the story
	}
}

func (s *shop) see(e messages.Event) {
	switch e := e.(type) {
	case *messages.ClaimAssigned:
		sayf(s.name, "owns %s/%d from offset %d on", e.Claim.Topic, e.Claim.Partition, e.Next)
	case *messages.ClaimRevoked:
		sayf(s.name, "gave up %s/%d (%v) in %v", e.Claim.Topic, e.Claim.Partition, e.Reason, e.Took.Round(10*time.Microsecond))
	case *messages.Failed:
		sayf(s.name, "%s failed: %v: %v after %v; other partitions go on", e.Failure.Where(), e.Failure.Err, e.Decision.Action, e.Decision.Delay)
	}
}

func main() {
	brokers := flag.String("brokers", "", "consume from this Kafka, as host:port[,…], until Ctrl-C; default: a broker in this process")
	topic := flag.String("topic", "orders", "the topic")
	group := flag.String("group", "quickstart", "the consumer group")
	flag.Parse()
	run := demonstrate
	if *brokers != "" {
		run = func(topic, group string) error { return consume(demo.Addresses(*brokers), topic, group) }
	}
	if err := run(*topic, *group); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// demonstrate runs the whole story on a broker of its own.
func demonstrate(topic, group string) error {
	addrs, end, err := demo.Broker(topic, partitions)
	if err != nil {
		return err
	}
	defer end()
	sayf("broker", "a Kafka broker in this process listens on %s", strings.Join(addrs, ","))
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()

	tally := demo.NewTally()
	var fails, panics atomic.Int32
	join := func(name string) (*demo.Member, error) {
		s := &shop{name, tally, &fails, &panics}
		sayf(name, "joins the group")
		return demo.Join(s.config(addrs, topic, group), tally, s.see)
	}

	first, err := join("member A")
	if err != nil {
		return err
	}
	produced := make(chan error, 1)
	go func() {
		produced <- demo.Produce(ctx, addrs, topic, orders, 6*time.Second, func(n int) []byte {
			value, _ := json.Marshal(demo.Order{Number: n, Customer: demo.Customer(n), Cents: int64(n)})
			return value
		})
	}()
	sayf("producer", "sends %d orders", orders)

	wait(ctx, tally, orders/3)
	second, err := join("member B")
	if err != nil {
		return err
	}
	wait(ctx, tally, orders*2/3)
	sayf("member B", "leaves; member A takes over where it stopped")
	if err := second.Leave(); err != nil {
		return err
	}
	if err := <-produced; err != nil {
		return err
	}
	wait(ctx, tally, orders)
	if err := first.Leave(); err != nil {
		return err
	}
	line, ok := tally.Summary(orders)
	fmt.Println(line)
	if !ok {
		return errors.New("records were lost or out of order")
	}
	return nil
}

// consume is the same consumer against a real Kafka.
func consume(brokers []string, topic, group string) error {
	s := &shop{name: "member", tally: demo.NewTally(), flaky: new(atomic.Int32), panic: new(atomic.Int32)}
	cfg := s.config(brokers, topic, group)
	cfg.Logger, cfg.HeartbeatInterval = slog.Default(), 0
	cfg.Handler = func(_ context.Context, rec *consumer.Record) error { // any record, not only our own orders
		s.tally.Finished(rec)
		return nil
	}
	c, err := consumer.New(cfg)
	if err != nil {
		return err
	}
	go func() {
		for e := range c.Events(context.Background(), 4096) {
			s.see(e)
		}
	}()
	err = c.RunUntilSignal(context.Background())
	n, _ := s.tally.Processed()
	sayf("member", "processed %d records", n)
	return err
}

// wait returns when n different records were processed, or ctx ends.
func wait(ctx context.Context, tally *demo.Tally, n int) {
	for {
		have, changed := tally.Processed()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

var began = time.Now()

func sayf(who, format string, args ...any) {
	fmt.Printf("%6.3fs  %-8s  %s\n", time.Since(began).Seconds(), who, fmt.Sprintf(format, args...))
}
