package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	if text := os.Getenv(childEnv); text != "" {
		if err := consume(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := command(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("failures", flag.ContinueOnError)
	brokers := f.String("brokers", "", "host:port[,…] of a real Kafka; default: kfake in this process")
	only := f.String("only", "", "a part of number/consumer, such as 3/ or ottla; default: all")
	beside := f.Int("parallel", 8, "how many runs at a time")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *beside < 1 {
		return fmt.Errorf("-parallel %d: use 1 or more", *beside)
	}
	addrs := addresses(*brokers)
	if len(addrs) == 0 {
		broker, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return fmt.Errorf("start the broker: %w", err)
		}
		defer broker.Close()
		addrs = broker.ListenAddrs()
	}
	var some []run
	for _, r := range runs() {
		if strings.Contains(fmt.Sprintf("%d/%s", r.failure, r.consumer), *only) {
			some = append(some, r)
		}
	}
	rows, err := watchAll(ctx, addrs, some, *beside)
	if err != nil {
		return err
	}
	return show(out, rows)
}

// watchAll does the runs, some of them at a time. It answers a row for each, in their order.
func watchAll(ctx context.Context, addrs []string, some []run, beside int) ([]row, error) {
	c, err := connect(addrs)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	rows, places, name := make([]row, len(some)), make(chan struct{}, beside), time.Now().UnixNano()
	var all sync.WaitGroup
	for i, r := range some {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			rows[i] = c.watch(ctx, r, fmt.Sprintf("failures-%d-%d", name, i))
		})
	}
	all.Wait()
	return rows, nil
}

// show writes the table.
func show(out io.Writer, rows []row) error {
	var text strings.Builder
	failure := 0
	for _, r := range rows {
		if r.failure != failure {
			failure = r.failure
			fmt.Fprintf(&text, "\n== %d. %s ==\n", failure, titles[failure])
		}
		title := r.consumer
		if r.note != "" {
			title += " (" + r.note + ")"
		}
		fmt.Fprintf(&text, "%s\n%v\n", title, r)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
