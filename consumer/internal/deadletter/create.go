package deadletter

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// Create makes topics with as many partitions as the largest of the consumed ones, so that each letter finds the partition
// of its record's number, and the brokers' own replication. That somebody else has made one meanwhile is no error. It may
// return later than ctx ends, by the requests' own times.
func (w *Writer) Create(ctx context.Context, cluster Cluster, consumed, missing []string) error {
	m, err := cluster.Topics(ctx, consumed...)
	if err != nil {
		return err
	}
	partitions := int32(-1) // the brokers' own number, where none is there yet
	for _, t := range m.Topics {
		if n := int32(len(t.Partitions)); n > 0 {
			partitions = max(partitions, n)
		}
	}
	config := w.config
	config.Metadata.Full = true // an administrator of sarama's asks for it
	admin, err := sarama.NewClusterAdmin(w.brokers, &config)
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close() }()
	var faults []error
	for _, name := range missing {
		err := admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: -1}, false)
		if err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}
