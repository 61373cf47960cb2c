// Embed: a consumer inside an application that is made of actors.
//
//	go run ./examples/02-embed
//
// The application's own actor spawns the consumer, asks it for its status by message, is told of its end, and ends
// it with a poison pill. A failure is escalated on the way: the consumer drains and leaves its group, the
// application's own strategy decides, and the application lives on.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/examples/internal/demo"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

const orders = 500

var errLedgerClosed = errors.New("the ledger is closed")

// What the application says to its own actor.
type (
	howAreYou struct{}
	closeShop struct{}
)

// shop is the application's actor. The consumer is its child.
type shop struct {
	props  *actor.Props
	orders *actor.PID
	closed chan struct{}
}

func (s *shop) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		s.orders = ctx.SpawnPrefix(s.props, "orders")
		fmt.Println("shop: the consumer is my child")
	case *howAreYou:
		ctx.RequestWithCustomSender(s.orders, &messages.GetStatus{}, ctx.Sender()) // it answers whoever asked
	case *closeShop:
		fmt.Println("shop: a poison pill for the consumer: it drains, commits, and leaves its group")
		ctx.Poison(s.orders)
	case *actor.Terminated: // a parent is told without watching
		if msg.Who.Equal(s.orders) {
			fmt.Println("shop: the consumer has ended; the group was left before I was told")
			close(s.closed)
		}
	}
}

// decide is the application's own strategy: a consumer that failed after a handler's error may join again.
func decide(reason any) actor.Directive {
	var escalated *messages.EscalatedError
	if err, ok := reason.(error); ok && errors.As(err, &escalated) {
		fmt.Printf("strategy: %v\n", escalated)
		fmt.Println("strategy: restart it; it joins the group anew")
		return actor.RestartDirective
	}
	return actor.StopDirective
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("done: the application outlived every failure of its consumer")
}

func run() error {
	addrs, end, err := demo.Broker("orders", 4)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tally := demo.NewTally()
	var closed atomic.Bool
	props, err := consumer.Props(consumer.Config{
		Brokers: addrs, Group: "shop", Topics: []string{"orders"},
		Handler: consumer.JSON(func(_ context.Context, rec *consumer.Record, o demo.Order) error {
			if o.Number == orders/2 && closed.CompareAndSwap(false, true) {
				return errLedgerClosed
			}
			tally.Finished(rec)
			return nil
		}),
		Policy: supervisor.Policy{
			supervisor.On(supervisor.Is(errLedgerClosed), supervisor.Escalate()),
			supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Quick())),
		},
		HeartbeatInterval: 200 * time.Millisecond,
		Logger:            slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err // a bad Config never reaches the tree
	}

	quiet := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	sys := actor.NewActorSystem(actor.WithLoggerFactory(quiet))
	defer sys.Shutdown()
	s := &shop{props: props, closed: make(chan struct{})}
	pid := sys.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return s },
		actor.WithSupervisor(actor.NewOneForOneStrategy(3, time.Hour, decide))))

	err = demo.Produce(ctx, addrs, "orders", orders, time.Second, func(n int) []byte {
		value, _ := json.Marshal(demo.Order{Number: n})
		return value
	})
	if err != nil {
		return err
	}
	if err := settled(ctx, sys, pid, tally); err != nil {
		return err
	}
	sys.Root.Send(pid, &closeShop{})
	select {
	case <-s.closed:
	case <-ctx.Done():
		return errors.New("the consumer did not end in time")
	}
	line, ok := tally.Summary(orders)
	fmt.Println(line)
	if !ok {
		return errors.New("records were lost or out of order")
	}
	return nil
}

// settled asks by message until everything is processed.
func settled(ctx context.Context, sys *actor.ActorSystem, pid *actor.PID, tally *demo.Tally) error {
	for {
		have, changed := tally.Processed()
		if have == orders {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d records were processed in time", have, orders)
		}
	}
	answer, err := sys.Root.RequestFuture(pid, &howAreYou{}, 5*time.Second).Result()
	if err != nil {
		return err
	}
	status, ok := answer.(*messages.Status)
	if !ok {
		return fmt.Errorf("asked for a status, got %T", answer)
	}
	fmt.Printf("status: %s of group %q, ready=%v, %d partitions\n", status.Phase, status.Group, status.Health.Ready, len(status.Partitions))
	return nil
}
