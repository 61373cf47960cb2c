package committer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/metadata"
	"github.com/ottla-go/ottla/supervisor"
)

// startLatest begins at the end of the log, if the group has just come to the topic, and at the beginning, if the
// partition was added since: what it holds was produced while the group was there.
//
// That other partitions have a committed offset does not tell the two apart. The first members of a group start their
// claims at the same moment: A has partitions 0 and 1, asks, finds nothing, commits their ends; B has 2 and 3, asks
// 5 ms later, finds A's commits, would take 2 and 3 for new, and would go through all of their history. So whoever
// begins at the end commits with it how many partitions the topic has, and each commit carries that on. A partition
// with this number or a higher one was added; one below it has only not been begun yet.
//
// Where other partitions have offsets and none carries the number (the group began with another choice, or another
// client), the partition is taken for new: reading too much is better than jumping over something.
//
// The end is committed, and acknowledged, before the first record: a crash in between would else begin at a later end.
func (k *claim) startLatest(ctx context.Context, log span) (supervisor.Start, error) {
	found, err := k.c.committed(ctx, k.place(), true)
	if err != nil {
		return supervisor.Start{}, err
	}
	var born int32
	for _, b := range found {
		if note, err := metadata.Decode(b.Metadata); err == nil && note.Partitions > 0 && (born == 0 || note.Partitions < born) {
			born = note.Partitions
		}
	}
	if len(found) == 0 {
		if born, err = k.partitions(ctx); err != nil {
			return supervisor.Start{}, err
		}
	}
	k.carry(born)
	if k.claim.Partition >= born { // also where nobody has noted a number
		k.c.set.Logger.Info("the partition was added after the group began: it starts at its beginning, not at its end",
			slog.String("claim", k.claim.String()), slog.Int64("next", log.first))
		return startAt(log.first), nil
	}
	return startAt(log.end), k.settle(ctx, log.end)
}

// carry has the number go with every commit of the claim.
func (k *claim) carry(partitions int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.born = partitions
}

// partitions is how many the topic has now. It asks again, paced, until there is an answer, an error that lasts, or
// ctx ends.
func (k *claim) partitions(ctx context.Context) (int32, error) {
	topic := k.claim.Topic
	for failures := 1; ; failures++ {
		m, err := k.c.set.Topics.Topics(ctx, topic)
		if err == nil {
			err = m.Topics[topic].Err
		}
		var code sarama.KError
		switch {
		case err == nil: // a broker that lags behind may know fewer than we own
			return max(int32(len(m.Topics[topic].Partitions)), k.claim.Partition+1), nil
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case errors.As(err, &code) && lasting[code] != "":
			return 0, fmt.Errorf("ottla: the partitions of %s cannot be counted: %w (%s)", topic, err, lasting[code])
		}
		pause := time.NewTimer(quick.after(failures))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return 0, context.Cause(ctx)
		}
	}
}
