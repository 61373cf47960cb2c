package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// produce sends so many records a second until ctx ends, then waits for all answers. Its client is idempotent, waits for
// all replicas in sync, and tries for ever: what it has begun comes into the topic once.
func (c *cluster) produce(ctx context.Context, topic string, perSecond int, r *recorder) error {
	cl, err := c.client(kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(20_000))
	if err != nil {
		return err
	}
	defer cl.Close()
	failed := make(chan error, 1)
	sent := 0
	for begin := time.Now(); ctx.Err() == nil; _ = pause(ctx, 10*time.Millisecond) {
		for due := int(time.Since(begin).Seconds() * float64(perSecond)); sent < due && ctx.Err() == nil; sent++ {
			cl.Produce(context.WithoutCancel(ctx), &kgo.Record{Key: fmt.Appendf(nil, "r%07d", sent), Value: []byte("…")}, func(rec *kgo.Record, err error) {
				if err != nil {
					select {
					case failed <- err:
					default:
					}
					return
				}
				r.acknowledged(acked{rec.Partition, entry{rec.Offset, string(rec.Key)}})
			})
		}
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	if err := cl.Flush(flush); err != nil {
		return fmt.Errorf("flush the producer: %w", err)
	}
	select {
	case err := <-failed:
		return fmt.Errorf("produce: %w", err)
	default:
		return nil
	}
}

// read takes what is in the topic up to the ends.
func (c *cluster) read(ctx context.Context, topic string, ends map[int32]int64) (map[int32][]entry, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cl, err := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	log := map[int32][]entry{}
	open := maps.Clone(ends)
	maps.DeleteFunc(open, func(_ int32, end int64) bool { return end == 0 })
	for len(open) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, fmt.Errorf("read the topic: %w", err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			log[rec.Partition] = append(log[rec.Partition], entry{rec.Offset, string(rec.Key)})
			if rec.Offset+1 >= ends[rec.Partition] {
				delete(open, rec.Partition)
			}
		})
	}
	return log, nil
}

// watch looks at the group's offsets until ctx ends.
func (c *cluster) watch(ctx context.Context, group, topic string, r *recorder) {
	last := map[int32]int64{}
	for ctx.Err() == nil {
		asked := time.Now()
		now, err := c.committed(ctx, group, topic)
		if err == nil {
			at := time.Now()
			var seen []sight
			for p, next := range now {
				if was, ok := last[p]; !ok || was != next {
					seen = append(seen, sight{asked, at, p, next})
				}
			}
			r.sighted(seen)
			maps.Copy(last, now)
		}
		_ = pause(ctx, 200*time.Millisecond)
	}
}
