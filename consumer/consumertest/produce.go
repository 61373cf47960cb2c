package consumertest

import (
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/messages"
)

// Produce writes records with these values into a partition, one after the other, and waits until they are there.
func (c *Cluster) Produce(topic string, partition int32, values ...string) []*messages.Record {
	c.t.Helper()
	records := make([]*messages.Record, len(values))
	for i, v := range values {
		records[i] = &messages.Record{Value: []byte(v)}
	}
	return c.ProduceRecords(topic, partition, records...)
}

// ProduceRecords writes records with keys, headers and times of their own; a zero Time is now. It sets topic, partition
// and offset in them and answers them.
func (c *Cluster) ProduceRecords(topic string, partition int32, records ...*messages.Record) []*messages.Record {
	c.t.Helper()
	if err := c.out.send(c.Addrs(), topic, partition, records); err != nil {
		c.t.Fatalf("produce to %s/%d: %v", topic, partition, err)
	}
	return records
}

// producer is a client that is made when it is needed first.
type producer struct {
	mu     sync.Mutex
	client sarama.SyncProducer
}

func (p *producer) send(addrs []string, topic string, partition int32, records []*messages.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == nil {
		cfg := sarama.NewConfig()
		cfg.Producer.Return.Successes = true
		cfg.Producer.RequiredAcks = sarama.WaitForAll
		cfg.Producer.Partitioner = sarama.NewManualPartitioner
		cfg.Net.MaxOpenRequests = 1 // keeps the order over retries
		client, err := sarama.NewSyncProducer(addrs, cfg)
		if err != nil {
			return fmt.Errorf("make a producer: %w", err)
		}
		p.client = client
	}
	sent := make([]*sarama.ProducerMessage, len(records))
	for i, r := range records {
		sent[i] = &sarama.ProducerMessage{Topic: topic, Partition: partition, Timestamp: r.Time}
		if r.Key != nil {
			sent[i].Key = sarama.ByteEncoder(r.Key)
		}
		if r.Value != nil { // else it is a tombstone
			sent[i].Value = sarama.ByteEncoder(r.Value)
		}
		for _, h := range r.Headers {
			sent[i].Headers = append(sent[i].Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
	}
	if err := p.client.SendMessages(sent); err != nil {
		return err
	}
	for i, r := range records {
		r.Topic, r.Partition, r.Offset = topic, partition, sent[i].Offset
	}
	return nil
}

func (p *producer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil {
		_ = p.client.Close() // nothing is under way: each send has waited
	}
}
