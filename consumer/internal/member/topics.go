package member

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// partitions counts the partitions of topics. A topic that does not exist has none; it is not created by asking.
func (m *Member) partitions(ctx context.Context, topics []string) (map[string]int, error) {
	md, err := m.options.Cluster.Topics(ctx, topics...)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int, len(topics))
	for _, t := range topics {
		switch topic := md.Topics[t]; {
		case topic.Err == nil, errors.Is(topic.Err, sarama.ErrLeaderNotAvailable):
			counts[t] = len(topic.Partitions)
		case errors.Is(topic.Err, sarama.ErrUnknownTopicOrPartition):
			counts[t] = 0
		default:
			return nil, fmt.Errorf("topic %q: %w", t, topic.Err)
		}
	}
	return counts, nil
}

// lookForTopics says which of the subscribed topics do not exist, until they all do. Every member does so for
// itself: a leader in another process has another log.
func (m *Member) lookForTopics() {
	every := time.NewTicker(min(time.Second, m.options.MetadataInterval))
	defer every.Stop()
	for {
		ctx, cancel := m.limit(m.options.RequestTimeout)
		counts, err := m.partitions(ctx, m.options.Topics)
		cancel()
		if err == nil {
			missing := slices.DeleteFunc(slices.Clone(m.options.Topics), func(t string) bool { return counts[t] > 0 })
			m.notices.topics(missing)
			if len(missing) == 0 {
				return
			}
		}
		select {
		case <-every.C:
		case <-m.ctx.Done():
			return
		}
	}
}

// lookAgain is the leader's: it compares the subscribed topics with what its last plan knew.
func (m *Member) lookAgain() {
	seen := m.watching.Load()
	if seen == nil {
		return
	}
	m.wg.Go(func() {
		ctx, cancel := m.limit(m.options.RequestTimeout)
		defer cancel()
		now, err := m.partitions(ctx, slices.Collect(maps.Keys(*seen)))
		if err == nil && !maps.Equal(now, *seen) {
			m.post(rejoin{"the partitions of a subscribed topic have changed"})
		}
	})
}

// notices joins what there is to say about the coordinator and about the topics.
type notices struct {
	tell func(error)

	mu      sync.Mutex
	broker  error
	missing []string
}

func (n *notices) coordinator(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broker = err
	n.say()
}

func (n *notices) topics(missing []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Equal(n.missing, missing) {
		return
	}
	n.missing = missing
	n.say()
}

// say tells all of it; the inbox only posts.
func (n *notices) say() {
	err := n.broker
	if len(n.missing) > 0 {
		err = errors.Join(err, fmt.Errorf("ottla: Topics: %s: does not exist; the consumer waits for it and does not create it", strings.Join(n.missing, ", ")))
	}
	n.tell(err)
}
