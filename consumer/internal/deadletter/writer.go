package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/messages"
)

// Writer writes dead letters to topics, with sarama's producer: idempotent, and acknowledged by all replicas in sync. It
// connects at the first letter. Its methods are safe for concurrent use.
type Writer struct {
	brokers []string
	config  sarama.Config

	// One token: who has it may look at, and change, what follows. It is not a mutex, because connecting takes time.
	token    chan struct{}
	producer sarama.SyncProducer
	closed   bool
}

// Times of the producer. All of its tries together end before the supervisor's patience with one letter, 30 s, as far as
// brokers answer at all.
const (
	requestTimeout = 8 * time.Second
	retries        = 2
	retryBackoff   = 200 * time.Millisecond
)

// NewWriter takes of the configuration what is about connections.
func NewWriter(brokers []string, dialing *sarama.Config) *Writer {
	w := &Writer{brokers: brokers, config: *dialing, token: make(chan struct{}, 1)}
	c := &w.config
	c.Net.MaxOpenRequests = 1 // an idempotent producer of sarama's asks for it
	c.Net.DialTimeout = min(c.Net.DialTimeout, requestTimeout)
	c.Net.ReadTimeout, c.Net.WriteTimeout = requestTimeout, requestTimeout
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.Full = false
	c.Metadata.Retry.Max, c.Metadata.Retry.Backoff = retries, retryBackoff
	c.Metadata.Timeout = requestTimeout
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Timeout = requestTimeout
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = retries, retryBackoff
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.Partitioner = newPartitioner
	c.Producer.Compression = sarama.CompressionNone
	c.Producer.MaxMessageBytes = int(sarama.MaxRequestSize) - 1<<20 // the broker says what is too large
	w.token <- struct{}{}
	return w
}

var errClosed = errors.New("it is closed")

// WriteDeadLetter implements supervisor.DeadLetterWriter. It may return later than ctx ends, by the producer's own times:
// the caller does not wait for it then.
func (w *Writer) WriteDeadLetter(ctx context.Context, l *messages.DeadLetter) error {
	return w.Write(ctx, l.To, l.Record, Headers(l), l.Record.Partition)
}

// Write writes a record's key and value with these headers to the partition of that number, where the topic has it.
func (w *Writer) Write(ctx context.Context, topic string, r *messages.Record, headers []messages.Header, partition int32) error {
	p, err := w.connected(ctx)
	if err != nil {
		return err
	}
	m := &sarama.ProducerMessage{Topic: topic, Metadata: partition}
	if r.Key != nil {
		m.Key = sarama.ByteEncoder(r.Key)
	}
	if r.Value != nil {
		m.Value = sarama.ByteEncoder(r.Value)
	}
	for _, h := range headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	if _, _, err := p.SendMessage(m); err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	return nil
}

// connected answers the producer, and makes it if there is none.
func (w *Writer) connected(ctx context.Context) (sarama.SyncProducer, error) {
	select {
	case <-w.token:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { w.token <- struct{}{} }()
	switch {
	case w.closed:
		return nil, errClosed
	case w.producer != nil:
		return w.producer, nil
	}
	config := w.config // sarama writes to it
	p, err := sarama.NewSyncProducer(w.brokers, &config)
	if err != nil {
		return nil, fmt.Errorf("no producer: %w", err)
	}
	w.producer = p
	return p, nil
}

// Close ends the producer, and waits for what is under way. Letters that come later are refused.
func (w *Writer) Close() {
	<-w.token
	defer func() { w.token <- struct{}{} }()
	w.closed = true
	if w.producer != nil {
		_ = w.producer.Close() // every letter has had its own answer
		w.producer = nil
	}
}
