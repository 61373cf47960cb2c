package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// withSarama is examples/consumergroup, with a handler that may fail. What sarama would say through Errors, it says only if
// Consumer.Return.Errors is set, as in the example of its package documentation; that program does not.
func withSarama(ctx context.Context, t task, w *work) error {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.Group.Heartbeat.Interval = heartbeat
	cfg.Consumer.Group.Session.Timeout = sessionTimeout
	cfg.Consumer.Group.Rebalance.Timeout = rebalanceTimeout
	cfg.Consumer.Offsets.AutoCommit.Enable = t.Consumer != saramaCommit
	cfg.Consumer.Return.Errors = t.Consumer == saramaErrors
	group, err := sarama.NewConsumerGroup(t.Brokers, t.Group, cfg)
	if err != nil {
		return err
	}
	if t.Consumer == saramaErrors {
		go func() {
			for err := range group.Errors() {
				w.report(err.Error())
			}
		}()
	}
	for {
		if err := group.Consume(ctx, []string{t.Topic}, claims{t, w}); err != nil {
			if errors.Is(err, sarama.ErrClosedConsumerGroup) {
				return nil
			}
			w.report("Consume: " + err.Error())
			return fmt.Errorf("from Consume: %w", err)
		}
		if ctx.Err() != nil {
			return group.Close()
		}
	}
}

type claims struct {
	task
	*work
}

func (claims) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (claims) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c claims) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			err := c.handle(session.Context(), m.Partition, m.Offset, m.Value)
			for c.Consumer == saramaLoop && err != nil {
				select {
				case <-time.After(longBackoff):
				case <-session.Context().Done(): // as the example's comment demands
					return nil
				}
				err = c.handle(session.Context(), m.Partition, m.Offset, m.Value)
			}
			if err != nil {
				if c.Consumer == saramaLog {
					continue // without its mark
				}
				return err
			}
			session.MarkMessage(m, "")
			if c.Consumer == saramaCommit {
				session.Commit()
			}
		case <-session.Context().Done():
			return nil
		}
	}
}
