package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// peer is one of those that are compared.
type peer struct {
	name    string
	consume func(ctx context.Context, addrs []string, topic, group string, n int) (result, error)
	results []result
}

// rate is the median of its records per second.
func (p peer) rate() float64 { return median(p.results, func(r result) float64 { return r.rate }) }

// throughput alternates the two and prints what they did.
func throughput(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("throughput", flag.ContinueOnError)
	records := f.Int("records", 2_000_000, "how many records")
	size := f.Int("size", 100, "bytes of a value")
	partitions := f.Int("partitions", 8, "partitions of the topic")
	runs := f.Int("runs", 5, "runs of each")
	brokers := f.String("brokers", "", "host:port[,…] of a real Kafka; default: kfake in a process of its own")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *records < 1 || *size < 0 || *size >= 1<<20 || *partitions < 1 || *runs < 1 {
		return fmt.Errorf("-records, -partitions and -runs must be at least 1, -size between 0 and %d", 1<<20-1)
	}
	addrs := strings.Split(*brokers, ",")
	if *brokers == "" {
		var end func()
		var err error
		if addrs, end, err = startBroker(ctx); err != nil {
			return err
		}
		defer end()
	}
	topic := fmt.Sprintf("bench-%d", time.Now().UnixNano())
	begun := time.Now()
	if err := fill(ctx, addrs, topic, *records, *size, *partitions); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	fmt.Printf("%d records of %d B in %d partitions, produced in %v\n", *records, *size, *partitions, time.Since(begun).Round(time.Millisecond))

	peers := []peer{{name: "sarama", consume: withSarama}, {name: "ottla", consume: withOttla}}
	for i := range *runs {
		for p := range peers {
			res, err := peers[p].consume(ctx, addrs, topic, fmt.Sprintf("%s-%s-%d", topic, peers[p].name, i), *records)
			if err != nil {
				return fmt.Errorf("%s: %w", peers[p].name, err)
			}
			peers[p].results = append(peers[p].results, res)
		}
	}
	if err := printTable(peers); err != nil {
		return err
	}
	fmt.Printf("ratio ottla/sarama=%.2f\n", peers[1].rate()/peers[0].rate())
	return nil
}

func printTable(peers []peer) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	if _, err := fmt.Fprint(w, "\trecords/s\tCPU ns/record\tallocs/record\tB/record\truns (thousand/s)\t\n"); err != nil {
		return err
	}
	for _, p := range peers {
		each := make([]string, len(p.results))
		for i, r := range p.results {
			each[i] = fmt.Sprintf("%.0f", r.rate/1000)
		}
		if _, err := fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%.0f\t%s\t\n", p.name, p.rate(),
			median(p.results, func(r result) float64 { return r.cpu }), median(p.results, func(r result) float64 { return r.allocs }),
			median(p.results, func(r result) float64 { return r.bytes }), strings.Join(each, " ")); err != nil {
			return err
		}
	}
	return w.Flush()
}
