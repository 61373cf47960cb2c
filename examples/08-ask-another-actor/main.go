// Ask another actor: each payment is checked by another actor of the application before it is booked. That one is slow now
// and then, panics, and dies; and one of those who ask it is restarted while it waits.
//
//	go run ./examples/08-ask-another-actor
//
// While a partition waits for its answer, its next record waits, and other messages are answered. An answer that comes too
// late, or for an earlier incarnation of who has asked, is dropped: no payment is booked twice.
//
// With -brokers it does the same on a real Kafka, in a topic that it makes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/examples/internal/demo"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

const payments, partitions = 60, 3

// policy: whoever did not reply, or is not there, is asked again. ErrNoActor is an ErrNoReply, too.
func policy() supervisor.Policy {
	soon := supervisor.Every(50 * time.Millisecond)
	return supervisor.Policy{
		supervisor.On(supervisor.Is(messages.ErrNoReply), supervisor.Retry(soon)),
		supervisor.On(supervisor.Panic(), supervisor.Restart(soon)),
		supervisor.On(supervisor.Any(), supervisor.Park("unexpected")),
	}
}

func main() {
	brokers := flag.String("brokers", "", "a real Kafka, as host:port[,…]; default: a broker in this process")
	flag.Parse()
	if err := demo.OnBrokers(*brokers, partitions, demonstrate); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func demonstrate(ctx context.Context, addrs []string, topic string) error {
	quiet := slog.New(slog.DiscardHandler) // the events below tell the story
	sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }))
	defer sys.Shutdown()
	o := &office{sys: sys, topic: topic, tally: demo.NewTally(), count: map[string]int{}, met: map[int]*actor.PID{}}
	sys.EventStream.Subscribe(o.deadLetter)
	fraud := o.hire()
	props, err := consumer.Props(consumer.Config{
		Brokers: addrs, Group: topic + "-booking", Topics: []string{topic}, Policy: policy(), Logger: quiet,
		Actor: func() actor.Actor { return &till{office: o, fraud: fraud} },
	})
	if err != nil {
		return err
	}
	ref := consumer.NewRef(sys, sys.Root.Spawn(props))
	follow, unfollow := context.WithCancel(ctx)
	told, asked := make(chan struct{}), make(chan struct{})
	events := ref.Events(follow, 4096)
	go func() {
		defer close(told)
		for e := range events {
			o.see(e)
		}
	}()
	go func() {
		defer close(asked)
		o.askTills(follow, ref.PID())
	}()

	err = demo.Produce(ctx, addrs, topic, payments, 0, func(n int) []byte {
		value, _ := json.Marshal(demo.Order{Number: n, Customer: demo.Customer(n), Cents: 100})
		return value
	})
	if err != nil {
		unfollow()
		return err
	}
	for have, changed := o.tally.Processed(); have < payments && ctx.Err() == nil; have, changed = o.tally.Processed() {
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	err = ref.Shutdown(ctx)
	unfollow()
	<-told
	<-asked
	line, ok := o.tally.Summary(payments)
	fmt.Printf("%s\n%s\n", o.summary(), line)
	if !ok {
		err = errors.Join(err, errors.New("payments were lost, or out of order"))
	}
	return err
}
