package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer"
)

// withOttla consumes with Ottla: a no-op handler, CommitCoalesced, all defaults.
func withOttla(ctx context.Context, addrs []string, topic, group string, n int) (result, error) {
	r := begin(n)
	c, err := consumer.New(consumer.Config{
		Brokers: addrs, Topics: []string{topic}, Group: group,
		Handler: func(context.Context, *consumer.Record) error {
			r.record()
			return nil
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	select {
	case <-r.done:
	case err := <-ended:
		return result{}, errors.Join(errors.New("the consumer ended early"), err)
	}
	res := r.end()
	cancel()
	return res, <-ended
}

// withSarama consumes with a bare ConsumerGroup, whose claim loop marks each record.
func withSarama(ctx context.Context, addrs []string, topic, group string, n int) (result, error) {
	r := begin(n)
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
	g, err := sarama.NewConsumerGroup(addrs, group, cfg)
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		for {
			if err := g.Consume(ctx, []string{topic}, claims{r}); err != nil || ctx.Err() != nil {
				ended <- err
				return
			}
		}
	}()
	select {
	case <-r.done:
	case err := <-ended:
		return result{}, errors.Join(errors.New("the consumer group ended early"), err)
	}
	res := r.end()
	cancel()
	err = <-ended
	return res, errors.Join(err, g.Close())
}

type claims struct{ *run }

func (claims) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (claims) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c claims) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for m := range claim.Messages() {
		c.record()
		s.MarkMessage(m, "")
	}
	return nil
}
