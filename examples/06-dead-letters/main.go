// Dead letters: some orders cannot be read, and are given up into a topic of their own. They are looked at, the consumer is
// mended, they are replayed, and in the end every order is processed.
//
//	go run ./examples/06-dead-letters
//
// With -brokers it does the same on a real Kafka, in two topics that it makes: look at them with cmd/ottla afterwards.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/deadletters"
	"github.com/ottla-go/ottla/examples/internal/demo"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

const (
	orders     = 200
	partitions = 4
	every      = 20 // each so manieth order is written in euros, as it was until last year
)

// old is what an order looked like then.
type old struct {
	Number   int    `json:"number"`
	Customer string `json:"customer"`
	Euros    int64  `json:"euros"`
}

// value is order n as its producer writes it.
func value(n int) []byte {
	if n%every == 7 {
		return fmt.Appendf(nil, `{"number":%d,"customer":%q,"euros":%d}`, n, demo.Customer(n), n)
	}
	return fmt.Appendf(nil, `{"number":%d,"customer":%q,"cents":%d}`, n, demo.Customer(n), 100*n)
}

var errNoAmount = errors.New("the order has no amount")

// first is the consumer's first version. It does not know what an order looked like until last year, and says so: better
// than to book nothing.
func first(b *book) consumer.Handler {
	return consumer.JSON(func(_ context.Context, _ *consumer.Record, o demo.Order) error {
		if o.Cents == 0 && o.Number > 0 {
			return errNoAmount
		}
		b.enter(o)
		return nil
	})
}

// second is its second version.
func second(b *book) consumer.Handler {
	return consumer.JSON(func(_ context.Context, rec *consumer.Record, o demo.Order) error {
		if o.Cents == 0 && o.Number > 0 {
			was, err := messages.DecodeJSON[old](rec)
			if err != nil {
				return err
			}
			o.Cents = 100 * was.Euros
		}
		if letter, ok := rec.Header(deadletters.ReplayOf); ok {
			fmt.Printf("version 2: %v is order %d of %d cents, replayed from %s\n", rec, o.Number, o.Cents, letter)
		}
		b.enter(o)
		return nil
	})
}

func config(addrs []string, topic string, h consumer.Handler) consumer.Config {
	return consumer.Config{
		Brokers: addrs, Group: topic + "-billing", Topics: []string{topic}, Handler: h,
		Policy: supervisor.Policy{
			supervisor.On(supervisor.Is(errNoAmount), supervisor.DeadLetter(topic+".dlt")),
			supervisor.On(supervisor.Decode(), supervisor.DeadLetter(topic+".dlt")),
			supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Quick())),
		},
		CreateDeadLetterTopics: true, // in production they are made with the others, and with a retention of weeks
		Logger:                 slog.New(slog.DiscardHandler),
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
	if err := demo.Produce(ctx, addrs, topic, orders, 0, value); err != nil {
		return err
	}
	fmt.Printf("producer: %d orders in %s, %d of them as they were written until last year\n", orders, topic, orders/every)

	b := newBook()
	member, err := demo.Join(config(addrs, topic, first(b)), demo.NewTally(), b.see)
	if err != nil {
		return err
	}
	b.await(ctx, func() bool { return len(b.entered)+b.givenUp == orders })
	if err := member.Leave(); err != nil {
		return err
	}
	fmt.Printf("version 1: %d orders processed, %d given up\n", len(b.entered), b.givenUp)

	if member, err = demo.Join(config(addrs, topic, second(b)), demo.NewTally(), b.see); err != nil {
		return err
	}
	if err := replay(ctx, addrs, topic+".dlt"); err != nil {
		return err
	}
	b.await(ctx, func() bool { return len(b.entered) == orders })
	if err := member.Leave(); err != nil {
		return err
	}
	fmt.Printf("done: %d of %d orders are processed\n", len(b.entered), orders)
	if len(b.entered) != orders {
		return fmt.Errorf("%d orders are missing", orders-len(b.entered))
	}
	return nil
}

// replay looks at the letters, and writes their records to where they came from.
func replay(ctx context.Context, addrs []string, letters string) error {
	c, err := deadletters.Open(consumer.Config{Brokers: addrs})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Read(ctx, letters, deadletters.Filter{Limit: 3}, func(l *deadletters.Letter) error {
		fmt.Printf("letter %v: %v, attempt %d, %s: %s\n", l.Place(), l.Origin, l.Attempts, l.Class, l.Error)
		return nil
	}); err != nil {
		return err
	}
	chosen := deadletters.Filter{Error: errNoAmount.Error()}
	for _, r := range []struct {
		what   string
		replay deadletters.Replay
	}{
		{"a dry run", deadletters.Replay{Filter: chosen}},
		{"the replay", deadletters.Replay{Filter: chosen, Write: true}},
		{"a second replay", deadletters.Replay{Filter: chosen, Write: true}},
	} {
		report, err := c.Replay(ctx, letters, r.replay)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %d, and %d that were replayed before\n", r.what, report.Total(), report.Already)
	}
	return nil
}
