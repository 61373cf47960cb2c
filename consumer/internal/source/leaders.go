package source

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// leader is who serves a partition.
type leader struct {
	id    int32
	addr  string
	epoch int32
}

// leaders remembers what the cluster said about topics. Everybody who finds it wrong asks anew, together.
type leaders struct {
	cluster *conn.Cluster
	asking  chan struct{} // one token: a lock that can be waited for with a context

	mu     sync.Mutex
	topics map[string]view
}

type view struct {
	asked time.Time // when the question was sent: the answer is no older
	topic conn.Topic
}

func newLeaders(c *conn.Cluster) *leaders {
	return &leaders{cluster: c, asking: make(chan struct{}, 1), topics: map[string]view{}}
}

// known is the leader as of since or later. ok is false when that has to be asked for; the error, a sarama.KError, is
// what the cluster says instead of a leader.
func (l *leaders) known(topic string, partition int32, since time.Time) (who leader, ok bool, err error) {
	l.mu.Lock()
	v, ok := l.topics[topic]
	l.mu.Unlock()
	if !ok || v.asked.Before(since) {
		return who, false, nil
	}
	if v.topic.Err != nil {
		return who, true, v.topic.Err
	}
	i, found := slices.BinarySearchFunc(v.topic.Partitions, partition, func(p conn.Partition, id int32) int { return cmp.Compare(p.ID, id) })
	if !found {
		return who, true, sarama.ErrUnknownTopicOrPartition
	}
	switch p := v.topic.Partitions[i]; {
	case p.LeaderAddr != "": // REPLICA_NOT_AVAILABLE may stand beside it: the leader is there all the same
		return leader{p.Leader, p.LeaderAddr, p.LeaderEpoch}, true, nil
	case p.Err != nil:
		return who, true, p.Err
	default:
		return who, true, sarama.ErrLeaderNotAvailable
	}
}

// refresh asks about topics. Callers that come while a question is under way wait for it, and only one of them asks
// the next one, for all.
func (l *leaders) refresh(ctx context.Context, topics []string) error {
	came := time.Now()
	select {
	case l.asking <- struct{}{}:
		defer func() { <-l.asking }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.mu.Lock()
	old := slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return l.topics[t].asked.After(came) })
	l.mu.Unlock()
	if len(old) == 0 {
		return nil
	}
	asked := time.Now()
	m, err := l.cluster.Topics(ctx, old...)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, topic := range m.Topics {
		l.topics[name] = view{asked, topic}
	}
	return nil
}
