package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Broker starts a Kafka broker in this process, on 127.0.0.1 and a free port, with one topic. It keeps everything in
// memory. Call end when nothing uses it any more.
func Broker(topic string, partitions int32) (addrs []string, end func(), err error) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic),
		kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		return nil, nil, fmt.Errorf("start the in-process broker: %w", err)
	}
	return c.ListenAddrs(), c.Close, nil
}

// OnBrokers runs a program for 50 s at most: on the brokers of a flag, in a topic that it makes there, or where the flag is
// empty on a broker in this process, in the topic orders.
func OnBrokers(list string, partitions int32, program func(ctx context.Context, addrs []string, topic string) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	if addrs := Addresses(list); len(addrs) > 0 {
		topic := fmt.Sprintf("orders-%d", time.Now().Unix())
		if err := CreateTopic(ctx, addrs, topic, partitions); err != nil {
			return err
		}
		return program(ctx, addrs, topic)
	}
	addrs, end, err := Broker("orders", partitions)
	if err != nil {
		return err
	}
	defer end()
	return program(ctx, addrs, "orders")
}

// CreateTopic makes a topic on brokers that run already.
func CreateTopic(ctx context.Context, addrs []string, topic string, partitions int32) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer cl.Close()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, -1 // as many replicas as the brokers think fit
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return nil
}

// Send writes values to one partition, in this order, and waits until the broker has them all.
func Send(ctx context.Context, addrs []string, topic string, partition int32, values ...string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return fmt.Errorf("make a producer: %w", err)
	}
	defer cl.Close()
	var all []*kgo.Record
	for _, v := range values {
		all = append(all, &kgo.Record{Partition: partition, Value: []byte(v)})
	}
	if err := cl.ProduceSync(ctx, all...).FirstErr(); err != nil {
		return fmt.Errorf("produce to %s/%d: %w", topic, partition, err)
	}
	return nil
}

// Addresses takes a flag's list of brokers apart: "a:9092, b:9092".
func Addresses(list string) (addrs []string) {
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			addrs = append(addrs, part)
		}
	}
	return addrs
}

// Order is what the examples produce, as JSON.
type Order struct {
	Number   int    `json:"number"`
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"`
}

// Customer is the key of order n: a few customers, so that each has a history.
func Customer(n int) string { return fmt.Sprintf("customer-%02d", n%40) }

// Produce sends orders 0 to n-1, spread evenly over the time given, and waits until the broker has them all.
func Produce(ctx context.Context, addrs []string, topic string, n int, over time.Duration, value func(n int) []byte) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return fmt.Errorf("make a producer: %w", err)
	}
	defer cl.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begin, sent := time.Now(), 0
	var failed error
	for sent < n && ctx.Err() == nil {
		due := n
		if past := time.Since(begin); past < over {
			due = int(float64(n) * float64(past) / float64(over))
		}
		for ; sent < due; sent++ {
			cl.Produce(ctx, &kgo.Record{Key: []byte(Customer(sent)), Value: value(sent)}, func(_ *kgo.Record, err error) {
				if err != nil && failed == nil {
					failed = err // callbacks come one at a time
				}
			})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("flush the producer: %w", err)
	}
	return failed
}
