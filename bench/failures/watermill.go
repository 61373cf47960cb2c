package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

// withWatermill is the router of _examples/basic/3-router on the subscriber of _examples/pubsubs/kafka.
func withWatermill(ctx context.Context, t task, w *work) error {
	logger := tellingLogger{w}
	cfg := kafka.DefaultSaramaSubscriberConfig()
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.Group.Heartbeat.Interval = heartbeat
	cfg.Consumer.Group.Session.Timeout = sessionTimeout
	cfg.Consumer.Group.Rebalance.Timeout = rebalanceTimeout
	var unmarshaler kafka.Unmarshaler = kafka.DefaultMarshaler{}
	if t.Consumer == watermillDecode {
		unmarshaler = strict{w}
	}
	sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers: t.Brokers, Unmarshaler: unmarshaler, OverwriteSaramaConfig: cfg, ConsumerGroup: t.Group,
	}, logger)
	if err != nil {
		return err
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: stopTimeout}, logger)
	if err != nil {
		return err
	}
	switch t.Consumer {
	case watermillSet:
		pub, err := kafka.NewPublisher(kafka.PublisherConfig{Brokers: t.Brokers, Marshaler: kafka.DefaultMarshaler{}}, logger)
		if err != nil {
			return err
		}
		poisoned, err := middleware.PoisonQueue(pub, t.DLT)
		if err != nil {
			return err
		}
		retry := middleware.Retry{MaxRetries: 3, InitialInterval: 100 * time.Millisecond, Logger: logger}
		router.AddMiddleware(poisoned, retry.Middleware, middleware.Recoverer)
	case watermillRetry:
		router.AddMiddleware(middleware.Retry{MaxRetries: 3, InitialInterval: longBackoff, Logger: logger}.Middleware, middleware.Recoverer)
	}
	router.AddConsumerHandler("billing", t.Topic, sub, func(m *message.Message) error {
		partition, _ := kafka.MessagePartitionFromCtx(m.Context())
		offset, _ := kafka.MessagePartitionOffsetFromCtx(m.Context())
		return w.handle(m.Context(), partition, offset, m.Payload)
	})
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return router.Close() // what its SignalsHandler does
	}
}

// strict is an Unmarshaler that refuses what is no JSON.
type strict struct{ *work }

func (s strict) Unmarshal(m *sarama.ConsumerMessage) (*message.Message, error) {
	if !json.Valid(m.Value) {
		if _, err := s.decode(m.Partition, m.Offset, m.Value); err != nil {
			return nil, err
		}
	}
	return kafka.DefaultMarshaler{}.Unmarshal(m)
}

// tellingLogger passes on what Watermill's own logger, as its examples make it, prints as an error.
type tellingLogger struct{ *work }

func (l tellingLogger) Error(msg string, err error, _ watermill.LogFields) {
	if err != nil {
		msg += ": " + err.Error()
	}
	l.report(msg)
}
func (tellingLogger) Info(string, watermill.LogFields)                   {}
func (tellingLogger) Debug(string, watermill.LogFields)                  {}
func (tellingLogger) Trace(string, watermill.LogFields)                  {}
func (l tellingLogger) With(watermill.LogFields) watermill.LoggerAdapter { return l }
