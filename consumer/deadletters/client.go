package deadletters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/deadletter"
	"github.com/ottla-go/ottla/consumer/internal/source"
)

// Client reads and replays dead letters. Its methods are safe for concurrent use, but two replays of one topic at the same
// time may each write what the other one does.
type Client struct {
	dialer  *conn.Dialer
	cluster *conn.Cluster
	source  *source.Source
	writer  *deadletter.Writer
	claims  atomic.Uint64
}

// ErrNoTopic says that a topic does not exist, or that the user may not know of it.
var ErrNoTopic = errors.New("there is no such topic")

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
	records, err := source.New(source.Options{Config: dialing, Cluster: cluster, Logger: logger})
	if err != nil {
		cluster.Close()
		dialer.Close()
		return nil, fmt.Errorf("ottla: Config.Sarama: %w", err)
	}
	return &Client{dialer: dialer, cluster: cluster, source: records, writer: deadletter.NewWriter(c.Brokers, dialing)}, nil
}

// Close ends all connections. What is under way fails.
func (c *Client) Close() {
	c.source.Stop()
	c.writer.Close()
	c.cluster.Close()
	c.dialer.Close()
}

// partitions are the numbers of a topic's partitions.
func (c *Client) partitions(ctx context.Context, topic string) ([]int32, error) {
	md, err := c.cluster.Topics(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("ottla: topic %s: %w", topic, err)
	}
	t := md.Topics[topic]
	if t.Err != nil {
		return nil, fmt.Errorf("ottla: topic %s: %w: %w", topic, ErrNoTopic, t.Err)
	}
	var all []int32
	for _, p := range t.Partitions {
		all = append(all, p.ID)
	}
	return all, nil
}
