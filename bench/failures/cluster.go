package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// partitions of a topic: the one with the record that fails, and its neighbour.
const (
	failing   int32 = 0
	neighbour int32 = 1
)

// cluster is what is done on the brokers beside the consumers. It is safe for concurrent use.
type cluster struct {
	addrs []string
	*kgo.Client
}

func connect(addrs []string) (cluster, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.UnknownTopicRetries(50), kgo.MetadataMinAge(50*time.Millisecond))
	return cluster{addrs, cl}, err
}

// create makes a topic of two partitions.
func (c cluster) create(ctx context.Context, topic string, configs map[string]string) error {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, 2, -1
	for name, value := range configs {
		one := kmsg.NewCreateTopicsRequestTopicConfig()
		one.Name, one.Value = name, &value
		t.Configs = append(t.Configs, one)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return fmt.Errorf("create %s: %w", topic, err)
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return fmt.Errorf("create %s: %w", topic, err)
	}
	return nil
}

// send writes values to a partition, and answers the offset of the last one.
func (c cluster) send(ctx context.Context, topic string, partition int32, values ...string) (int64, error) {
	var last int64
	for _, v := range values {
		r, err := c.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)}).First()
		if err != nil {
			return 0, fmt.Errorf("produce to %s/%d: %w", topic, partition, err)
		}
		last = r.Offset
	}
	return last, nil
}

// committed is where the group would begin in a partition; -1 where it has committed nothing. The first group of a cluster has to
// wait for its coordinator.
func (c cluster) committed(ctx context.Context, group, topic string, partition int32) (int64, error) {
	for {
		at, err := c.offset(ctx, group, topic, partition)
		if !kerr.IsRetriable(err) || ctx.Err() != nil {
			return at, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (c cluster) offset(ctx context.Context, group, topic string, partition int32) (int64, error) {
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.Partitions = topic, []int32{partition}
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.Topics = group, append(g.Topics, t)
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return 0, fmt.Errorf("offsets of %s: %w", group, err)
	}
	for _, g := range resp.Groups {
		switch err := kerr.ErrorForCode(g.ErrorCode); {
		case errors.Is(err, kerr.GroupIDNotFound):
			return -1, nil
		case err != nil:
			return 0, err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				return p.Offset, kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	return -1, nil // there is no such group
}

// count is how many records there are in a topic, and how many partitions it has, of two at most: none if it does not exist, and
// one if brokers have made it of themselves.
func (c cluster) count(ctx context.Context, topic string) (n int64, partitions int, err error) {
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for _, number := range []int32{0, 1} {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = number, -1 // the end
		t.Partitions = append(t.Partitions, p)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.Topics = -1, append(req.Topics, t)
	for _, shard := range c.RequestSharded(ctx, req) {
		resp, ok := shard.Resp.(*kmsg.ListOffsetsResponse)
		if errors.Is(shard.Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if shard.Err != nil || !ok {
			return 0, 0, fmt.Errorf("the end of %s: %w", topic, errors.Join(shard.Err))
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode == 0 {
					n += p.Offset
					partitions++
				}
			}
		}
	}
	return n, partitions, nil
}

// evict removes all members from a group, as an administrator may. They learn of it by their next request.
func (c cluster) evict(ctx context.Context, group string) error {
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{group}
	known, err := describe.RequestWith(ctx, c.Client)
	if err != nil {
		return fmt.Errorf("members of %s: %w", group, err)
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = group
	for _, g := range known.Groups {
		for _, m := range g.Members {
			one := kmsg.NewLeaveGroupRequestMember()
			one.MemberID = m.MemberID
			leave.Members = append(leave.Members, one)
		}
	}
	resp, err := leave.RequestWith(ctx, c.Client)
	if err != nil {
		return fmt.Errorf("remove members from %s: %w", group, err)
	}
	faults := []error{kerr.ErrorForCode(resp.ErrorCode)}
	for _, m := range resp.Members {
		faults = append(faults, kerr.ErrorForCode(m.ErrorCode))
	}
	if len(resp.Members) == 0 {
		faults = append(faults, errors.New("it has no members"))
	}
	return errors.Join(faults...)
}

// addresses takes a flag's list of brokers apart.
func addresses(list string) (addrs []string) {
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			addrs = append(addrs, part)
		}
	}
	return addrs
}
