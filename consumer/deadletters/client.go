package deadletters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/deadletter"
	"github.com/ottla-go/ottla/consumer/internal/source"
)

// Client reads and replays dead letters. Its methods are safe for concurrent use, but two replays of one topic at the same
// time may each write what the other one does.
type Client struct {
	dialing *sarama.Config
	logger  *slog.Logger
	dialer  *conn.Dialer
	cluster *conn.Cluster
	writer  *deadletter.Writer

	ctx    context.Context //nolint:containedctx // its end is Close's word to what is under way
	cancel context.CancelCauseFunc

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
}

// ErrNoTopic says that a topic does not exist, or that the user may not know of it.
var ErrNoTopic = errors.New("there is no such topic")

// ErrClosed is the answer during and after [Client.Close].
var ErrClosed = errors.New("ottla: the client is closed")

// Open takes of the configuration what is about connections: Brokers, TLS, SASL, Sarama, and Logger. It asks nobody yet. The
// client is to be closed.
func Open(c consumer.Config) (*Client, error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("ottla: Config.Brokers is empty: name one broker at least, as host:port")
	}
	dialing, err := c.SaramaConfig()
	if err != nil {
		return nil, err
	}
	dialer, err := conn.NewDialer(dialing)
	if err != nil {
		return nil, fmt.Errorf("ottla: Config.Sarama: %w", err)
	}
	logger := c.Logger
	if logger == nil {
		logger = slog.Default()
	}
	cluster := conn.NewCluster(conn.Settings{Seeds: c.Brokers, Dial: dialer.Dial, Version: dialing.Version})
	client := &Client{dialing: dialing, logger: logger, dialer: dialer, cluster: cluster, writer: deadletter.NewWriter(c.Brokers, dialing)}
	client.ctx, client.cancel = context.WithCancelCause(context.Background())
	return client, nil
}

// Close ends what is under way, waits for it, and ends all connections. It must not be called by a visit of Read.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel(ErrClosed)
	c.calls.Wait()
	c.writer.Close()
	c.cluster.Close()
	c.dialer.Close()
}

// begin is the beginning of a call: its context ends with the client's, too. end is to be called at its end.
func (c *Client) begin(ctx context.Context) (_ context.Context, end func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, ErrClosed
	}
	c.calls.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ctx, func() { cancel(ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
		c.calls.Done()
	}, nil
}

// source is one for a single call: two calls may read the same partition at the same time, which a source does for one
// claim only. It is to be stopped.
func (c *Client) source(isolation source.Isolation) (*source.Source, error) {
	s, err := source.New(source.Options{
		Config: c.dialing, Cluster: c.cluster, Logger: c.logger, Isolation: isolation,
		Notice: func(err error) {
			if err != nil {
				c.logger.Warn("a topic cannot be read at the moment, and is tried again", slog.Any("error", err))
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("ottla: Config.Sarama: %w", err)
	}
	return s, nil
}

// partitions are the numbers of a topic's partitions.
func (c *Client) partitions(ctx context.Context, topic string) ([]int32, error) {
	md, err := c.cluster.Topics(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("ottla: topic %s: %w", topic, err)
	}
	t := md.Topics[topic]
	switch {
	case errors.Is(t.Err, sarama.ErrUnknownTopicOrPartition), errors.Is(t.Err, sarama.ErrTopicAuthorizationFailed):
		return nil, fmt.Errorf("ottla: topic %s: %w: %w", topic, ErrNoTopic, t.Err)
	case t.Err != nil:
		return nil, fmt.Errorf("ottla: topic %s: %w", topic, t.Err)
	}
	var all []int32
	for _, p := range t.Partitions {
		all = append(all, p.ID)
	}
	return all, nil
}
