// Soak: a consumer to be abused: killed, stopped, and cut off from outside.
//
//	go run ./examples/90-soak -brokers 127.0.0.1:9092 -topic orders -group soak -work 5ms -errors 0.01 -panics 0.01 -print
//
// With -print it writes one unbuffered line to standard output when a handler has finished a record:
//
//	done partition=P offset=O key=K attempt=A
//
// and one where a claim begins and ends, with the nanoseconds of the clock:
//
//	assigned partition=P generation=G at=T
//	revoked partition=P at=T
//	lost partition=P at=T
//
// With -via all connections go through a SOCKS5 proxy, which may cut them: test/chaos does all of this.
//
// It ends at a signal: the first one drains, the second one stops, the third one kills. Without -brokers it makes a
// broker and load of its own, and reports like the quickstart; a first signal drains then, too, and a second one ends it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/examples/internal/demo"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
	"github.com/ottla-go/ottla/test/cable"
)

type flags struct {
	brokers, topic, group string
	via                   string
	work                  time.Duration
	errors, panics        float64
	session               time.Duration
	print                 bool
	records               int
}

func main() {
	var f flags
	flag.StringVar(&f.brokers, "brokers", "", "host:port[,…]; default: a broker in this process, with load")
	flag.StringVar(&f.topic, "topic", "soak", "the topic")
	flag.StringVar(&f.group, "group", "soak", "the consumer group")
	flag.StringVar(&f.via, "via", "", "host:port of a SOCKS5 proxy; default: none")
	flag.DurationVar(&f.work, "work", 2*time.Millisecond, "a handler takes a uniform random time up to this")
	flag.Float64Var(&f.errors, "errors", 0.01, "the share of deliveries that fail")
	flag.Float64Var(&f.panics, "panics", 0.01, "the share of deliveries that panic")
	flag.DurationVar(&f.session, "session", 0, "the session timeout; default: 45s")
	flag.BoolVar(&f.print, "print", false, "a line for each record that is finished")
	flag.IntVar(&f.records, "records", 4000, "how many records the load has; only without -brokers")
	flag.Parse()
	run := f.consume
	if f.brokers == "" {
		run = f.demonstrate
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var errSoak = errors.New("a failure on purpose")

// handler works, fails and panics by chance, and says what it finished.
func (f *flags) handler(tally *demo.Tally) consumer.Handler {
	return func(ctx context.Context, rec *consumer.Record) error {
		if f.work > 0 {
			select {
			case <-time.After(rand.N(f.work)): // simulated work
			case <-ctx.Done(): // revoked, lost or stopped: this attempt is not wanted any more
				return context.Cause(ctx)
			}
		}
		switch p := rand.Float64(); {
		case p < f.errors:
			return errSoak
		case p < f.errors+f.panics:
			panic(errSoak)
		}
		tally.Finished(rec)
		if f.print { // one write a line, straight to the file: what is printed was finished
			_, err := fmt.Fprintf(os.Stdout, "done partition=%d offset=%d key=%s attempt=%d\n", rec.Partition, rec.Offset, rec.Key, rec.Attempt)
			return err
		}
		return nil
	}
}

// hooks say where a claim begins and ends, in the same stream as what it finished.
func (f *flags) hooks() consumer.Hooks {
	if !f.print {
		return consumer.Hooks{}
	}
	return consumer.Hooks{
		Assigned: func(_ context.Context, c messages.Claim) error {
			_, err := fmt.Fprintf(os.Stdout, "assigned partition=%d generation=%d at=%d\n", c.Partition, c.Generation, time.Now().UnixNano())
			return err
		},
		Revoked: func(r messages.Revoked) {
			_, _ = fmt.Fprintf(os.Stdout, "revoked partition=%d at=%d\n", r.Claim.Partition, time.Now().UnixNano())
		},
		Lost: func(l messages.Lost) {
			_, _ = fmt.Fprintf(os.Stdout, "lost partition=%d at=%d\n", l.Claim.Partition, time.Now().UnixNano())
		},
	}
}

func (f *flags) config(brokers []string, tally *demo.Tally) consumer.Config {
	cfg := consumer.Config{
		Brokers: brokers, Topics: []string{f.topic}, Group: f.group,
		Handler:        f.handler(tally),
		Hooks:          f.hooks(),
		SessionTimeout: f.session,
		Policy: supervisor.Policy{
			supervisor.On(supervisor.Any(), supervisor.Retry(supervisor.Backoff{
				Base: 20 * time.Millisecond, Factor: 2, Max: time.Second, Jitter: supervisor.FullJitter,
			})),
		},
	}
	if f.via != "" {
		cfg.Sarama = cable.Through(f.via)
	}
	return cfg
}

// consume runs against a real Kafka until it is told to stop.
func (f *flags) consume() error {
	cfg := f.config(demo.Addresses(f.brokers), demo.NewTally())
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	c, err := consumer.New(cfg)
	if err != nil {
		return err
	}
	return c.RunUntilSignal(context.Background())
}

// demonstrate makes its own broker and load; three members, of which one is replaced all the time.
func (f *flags) demonstrate() error {
	addrs, end, err := demo.Broker(f.topic, 8)
	if err != nil {
		return err
	}
	defer end()
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(told, stop) // the second one ends the program
	ctx, cancel := context.WithTimeout(told, 60*time.Second)
	defer cancel()
	tally := demo.NewTally()
	cfg := f.config(addrs, tally)
	cfg.HeartbeatInterval = 100 * time.Millisecond
	cfg.Logger = slog.New(slog.DiscardHandler)
	produced := make(chan error, 1)
	go func() {
		produced <- demo.Produce(ctx, addrs, f.topic, f.records, 3*time.Second, func(n int) []byte { return fmt.Append(nil, n) })
	}()
	var stay [2]*demo.Member
	for i := range stay {
		if stay[i], err = demo.Join(cfg, tally, nil); err != nil {
			return err
		}
	}
	for have, changed := tally.Processed(); have < f.records && ctx.Err() == nil; have, changed = tally.Processed() {
		guest, err := demo.Join(cfg, tally, nil)
		if err != nil {
			return err
		}
		for until := have + f.records/5; have < min(until, f.records) && ctx.Err() == nil; have, changed = tally.Processed() {
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
		if err := guest.Leave(); err != nil {
			return err
		}
	}
	err = <-produced
	for _, m := range stay {
		if err := m.Leave(); err != nil {
			return err
		}
	}
	if told.Err() != nil { // drained; what was produced and not consumed is nobody's fault
		n, _ := tally.Processed()
		fmt.Printf("stopped by a signal: %d records were processed\n", n)
		return nil
	}
	if err != nil {
		return err
	}
	line, ok := tally.Summary(f.records)
	fmt.Println(line)
	if !ok {
		return errors.New("records were lost or out of order")
	}
	return nil
}
