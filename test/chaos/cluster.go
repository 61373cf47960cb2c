package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// cluster looks at the brokers with a client that is not under test. It is used by one goroutine; others have their own.
type cluster struct {
	brokers []string
	asker   *kgo.Client
}

func (c *cluster) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(opts, kgo.SeedBrokers(c.brokers...), kgo.MetadataMinAge(100*time.Millisecond),
		kgo.MaxVersions(kversion.V3_6_0()))...) // before requests name topics by id
}

func (c *cluster) close() {
	if c.asker != nil {
		c.asker.Close()
	}
}

// request asks once. After an error the next one begins anew: a client keeps to a dead coordinator for long.
func (c *cluster) request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	if c.asker == nil {
		var err error
		if c.asker, err = c.client(kgo.RetryTimeout(2 * time.Second)); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := c.asker.Request(ctx, req)
	if err != nil {
		c.asker.Close()
		c.asker = nil
	}
	return resp, err
}

// create makes a topic, each partition on every broker.
func (c *cluster) create(ctx context.Context, topic string, partitions int32) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, int16(len(c.brokers))
	inSync, two := kmsg.NewCreateTopicsRequestTopicConfig(), "2"
	inSync.Name, inSync.Value = "min.insync.replicas", &two
	t.Configs = append(t.Configs, inSync)
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 20_000
	resp, err := c.request(ctx, req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode) //nolint:errcheck // the answer to that request
}

// whole waits until each broker itself answers that all are there and every replica is in sync, twice in a row. One alone
// does not know: for 9 s the others count on one that was killed, and one that was stopped tells old tales at first.
func (c *cluster) whole(ctx context.Context) error {
	begin := time.Now()
	for good := 0; good < 2; {
		trouble := ""
		for _, broker := range c.brokers {
			if trouble = c.troubleOf(ctx, broker); trouble != "" {
				break
			}
		}
		if good++; trouble != "" {
			good = 0
		}
		if time.Since(begin) > 10*time.Minute {
			return fmt.Errorf("the cluster is not whole after 10 min: %s", trouble)
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// troubleOf is what one broker says is missing, or that it says nothing; "": nothing is.
func (c *cluster) troubleOf(ctx context.Context, broker string) string {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.MaxVersions(kversion.V3_6_0()))
	if err != nil {
		return err.Error()
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := cl.SeedBrokers()[0].Request(ctx, kmsg.NewPtrMetadataRequest()) // of all topics
	if err != nil {
		return broker + ": " + err.Error()
	}
	return incomplete(resp.(*kmsg.MetadataResponse), len(c.brokers)) //nolint:errcheck // the answer to that request
}

// incomplete says what is missing; "": nothing.
func incomplete(m *kmsg.MetadataResponse, brokers int) string {
	if len(m.Brokers) < brokers {
		return fmt.Sprintf("%d brokers", len(m.Brokers))
	}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if len(p.ISR) < len(p.Replicas) || p.Leader < 0 {
				return fmt.Sprintf("%s/%d is led by %d, %d of %d replicas are in sync", *t.Topic, p.Partition, p.Leader, len(p.ISR), len(p.Replicas))
			}
		}
	}
	return ""
}

// committed are the group's offsets, asked once.
func (c *cluster) committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Group, req.Groups = group, append(req.Groups, g) // of all topics
	resp, err := c.request(ctx, req)
	if err != nil {
		return nil, err
	}
	out := map[int32]int64{}
	var faults []error
	for _, g := range resp.(*kmsg.OffsetFetchResponse).Groups { //nolint:errcheck // the answer to that request
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			faults = append(faults, err)
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				faults = append(faults, kerr.ErrorForCode(p.ErrorCode))
				if t.Topic == topic && p.Offset >= 0 {
					out[p.Partition] = p.Offset
				}
			}
		}
	}
	return out, errors.Join(faults...)
}

// ends are the offsets at which the topic's partitions end.
func (c *cluster) ends(ctx context.Context, topic string, partitions int32) (map[int32]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for p := range partitions {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p, -1
		t.Partitions = append(t.Partitions, rp)
	}
	req.ReplicaID, req.Topics = -1, append(req.Topics, t)
	resp, err := c.request(ctx, req)
	if err != nil {
		return nil, err
	}
	out := map[int32]int64{}
	for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics { //nolint:errcheck // the answer to that request
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, err
			}
			out[p.Partition] = p.Offset
		}
	}
	return out, nil
}
