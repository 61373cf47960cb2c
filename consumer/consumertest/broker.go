package consumertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// Cluster is a Kafka cluster of three brokers within the test's process, on 127.0.0.1 and free ports. It keeps everything
// in memory. Its methods are safe for concurrent use; those that fail the test belong to the test's own goroutine.
//
// It speaks the real protocol over real connections, in real time: do not use it inside of Run. It is franz-go's kfake, no
// Kafka: what it shows is that a Config works from end to end, and not how a Kafka behaves that is slow, full, or
// secured.
type Cluster struct {
	t    testing.TB
	fake *kfake.Cluster
	wire *cuttable
	out  producer

	mu     sync.Mutex
	faults []*Fault
}

// topicPartitions is enough for several members to share a topic.
const topicPartitions = 4

// awaiting bounds what waits for a consumer: a member that has joined anew and a broker that was away take seconds.
const awaiting = 30 * time.Second

// Broker starts a cluster with these topics, of four partitions each. It ends with the test.
func Broker(t testing.TB, topics ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t, wire: &cuttable{}}
	fake, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(topicPartitions, topics...), kfake.ListenFn(c.wire.listen),
		kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatalf("start the brokers: %v", err)
	}
	c.fake = fake
	t.Cleanup(func() {
		c.out.close()
		fake.Close()
	})
	return c
}

// Addrs are for Config.Brokers.
func (c *Cluster) Addrs() []string { return c.fake.ListenAddrs() }

// CreateTopic makes one more topic. The consumer does not make any.
func (c *Cluster) CreateTopic(topic string, partitions int32) {
	c.t.Helper()
	if err := c.fake.CreateTopic(topic, partitions, nil); err != nil {
		c.t.Fatalf("create topic %s: %v", topic, err)
	}
}

// Start runs a consumer of cfg, with Brokers set, until the test ends. Then faults are healed and it drains; what Run
// answers, other than nil and the end by Kill, fails the test. Who wants to end it earlier has the Consumer's Drain, Stop
// and Kill.
func (c *Cluster) Start(cfg Config) *consumer.Consumer {
	c.t.Helper()
	cfg.Brokers = c.Addrs()
	one, err := consumer.New(cfg)
	if err != nil {
		c.t.Fatalf("the Config is not valid:\n%v", err)
	}
	ctx, drain := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- one.Run(ctx) }()
	c.t.Cleanup(func() {
		c.Heal()
		drain()
		if err := <-ended; err != nil && !errors.Is(err, messages.ErrKilled) {
			c.t.Errorf("the consumer of group %s ended with: %v", cfg.Group, err)
		}
	})
	return one
}

// Committed is the group's offset of a partition; -1: none.
func (c *Cluster) Committed(group, topic string, partition int32) int64 {
	return committedIn(c.fake.GroupInfo(group), topic, partition)
}

// AwaitCommitted waits until the group has committed the offset, or one above it. The test fails after 30 s.
func (c *Cluster) AwaitCommitted(group, topic string, partition int32, offset int64) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), awaiting)
	defer cancel()
	last, err := c.fake.WaitGroupInfo(ctx, group, func(g *kfake.GroupInfo) bool {
		return committedIn(g, topic, partition) >= offset
	})
	if err != nil {
		c.t.Fatalf("group %s has committed %d of %s/%d after %v, not %d", group, committedIn(last, topic, partition), topic, partition, awaiting, offset)
	}
}

func committedIn(g *kfake.GroupInfo, topic string, partition int32) int64 {
	if g != nil {
		if at, ok := g.Commits[topic][partition]; ok {
			return at.Offset
		}
	}
	return -1
}
