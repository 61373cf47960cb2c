package deadletter

import "github.com/IBM/sarama"

// partitioner chooses the partition that the record came from, where the topic has it: letters keep the order of their
// partition then. Elsewhere it goes by key.
type partitioner struct{ byKey sarama.Partitioner }

func newPartitioner(topic string) sarama.Partitioner {
	return partitioner{sarama.NewHashPartitioner(topic)}
}

// Partition implements sarama.Partitioner. The message's Metadata is the record's partition.
func (p partitioner) Partition(m *sarama.ProducerMessage, partitions int32) (int32, error) {
	if from, ok := m.Metadata.(int32); ok && from < partitions {
		return from, nil
	}
	return p.byKey.Partition(m, partitions)
}

// RequiresConsistency implements sarama.Partitioner: a partition without a leader at the moment counts.
func (p partitioner) RequiresConsistency() bool { return true }
