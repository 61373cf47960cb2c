// Failure policy: one table says what each failure means. Each of its directives happens once, on a record that was made for
// it, while the other partitions go on.
//
//	go run ./examples/05-failure-policy
//
// With -brokers it does the same on a real Kafka, in a topic that it makes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/examples/internal/demo"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Each of these errors means something else.
var (
	errBusy            = errors.New("the warehouse is busy")
	errObsolete        = errors.New("the order was cancelled long ago")
	errUnknownCustomer = errors.New("unknown customer")
	errDatabaseAway    = errors.New("the database is away")
	errLedgerBroken    = errors.New("the ledger does not add up")
)

// policy is the table. The first rule that matches counts.
func policy(topic string) supervisor.Policy {
	soon := supervisor.Every(100 * time.Millisecond)
	return supervisor.Policy{
		supervisor.On(supervisor.Decode(), supervisor.DeadLetter(topic+".dlt")),
		supervisor.On(supervisor.Is(errObsolete), supervisor.Skip()),
		supervisor.On(supervisor.Is(errUnknownCustomer), supervisor.Park("the customer is not known yet")),
		supervisor.On(supervisor.Is(errDatabaseAway), supervisor.Break(soon)),
		supervisor.On(supervisor.Is(errLedgerBroken), supervisor.Escalate()),
		supervisor.On(supervisor.Panic(), supervisor.Restart(soon).Within(3, time.Minute), supervisor.Park("it panics again and again")),
		supervisor.On(supervisor.Any(), supervisor.Retry(soon).Times(5), supervisor.DeadLetter(topic+".dlt")),
	}
}

// The record that is made for a directive stands alone in its partition, behind one that is good and before another one.
var made = []string{
	`{"fails":"busy"}`,     // retry
	`{"fails":"panic"}`,    // restart
	`{"fails":"obsolete"}`, // skip
	`no JSON`,              // dead letter
	`{"fails":"customer"}`, // park
	`{"fails":"database"}`, // break
	`{"fails":"hangs"}`,    // timeout
}

const (
	good   = `{"fails":""}`
	broken = `{"fails":"ledger"}` // escalate
)

func main() {
	brokers := flag.String("brokers", "", "a real Kafka, as host:port[,…]; default: a broker in this process")
	flag.Parse()
	if err := demo.OnBrokers(*brokers, int32(len(made)), demonstrate); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func demonstrate(ctx context.Context, addrs []string, topic string) error {
	table := policy(topic)
	fmt.Printf("the policy:\n%s\n", table.Explain())
	s := newShop()
	cfg := consumer.Config{
		Brokers: addrs, Group: topic + "-billing", Topics: []string{topic}, Handler: consumer.JSON(s.handle), Policy: table,
		CreateDeadLetterTopics: true,
		HandlerTimeout:         300 * time.Millisecond,
		Logger:                 slog.New(slog.DiscardHandler), // the events below tell the story
	}
	member, err := demo.Join(cfg, demo.NewTally(), s.see)
	if err != nil {
		return err
	}
	for p, value := range made {
		if err := demo.Send(ctx, addrs, topic, int32(p), good, value, good); err != nil {
			return err
		}
	}
	// An operator hears of the parked partition, mends what was wrong, and has the head tried again.
	parked := s.await(ctx, func() bool { return s.parked != nil })
	if parked {
		s.know()
		if _, err := member.Do(ctx, &messages.RetryHead{Head: *s.parked, By: "ann"}); err != nil {
			return err
		}
	}
	s.await(ctx, func() bool { return s.done() == 3*len(made) })
	if err := demo.Send(ctx, addrs, topic, 0, broken); err != nil {
		return err
	}
	var escalated *messages.EscalatedError
	if err := member.Await(ctx); !errors.As(err, &escalated) {
		return fmt.Errorf("the consumer was to end with an escalated failure: %v, %w", s.summary(), errors.Join(err))
	}
	fmt.Printf("the consumer has drained, left its group, and ended: %v\n", escalated)
	fmt.Println(s.summary())
	return nil
}
