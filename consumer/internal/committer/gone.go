package committer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/supervisor"
)

const (
	// goneAgain is how long after a refusal the next one of the same flush is asked for.
	goneAgain = time.Second
	// lookMost is how long one look at the metadata may take.
	lookMost = 5 * time.Second
)

// await waits for the answer to a flush, while there is somebody to wait for.
//
// A coordinator refuses the offsets of a topic that was deleted with UNKNOWN_TOPIC_OR_PARTITION, for ever; so the flush
// would wait for the whole deadline, and the group with it. But the same code is what a coordinator says that has not
// heard of a new topic yet, or has just started. One answer therefore ends nothing: the flush ends when the coordinator has
// refused it, the metadata, which any broker may answer, does not know the partition either, and both say so once more
// a second later. Brokers that lag for longer, all that were asked, cost no record: what was finished is handled again.
//
// A topic that was made again under the same name is there: its coordinator takes the offset, because a commit names the
// topic and not its id.
func (k *claim) await(ctx context.Context, answer <-chan error, denied <-chan struct{}) error {
	again := time.NewTimer(0)
	again.Stop()
	defer again.Stop()
	var agreed time.Time // when the two said so for the first time in a row
	for {
		select {
		case err := <-answer:
			return err
		case <-denied:
			switch now := time.Now(); {
			case k.exists(ctx):
				agreed = time.Time{}
			case agreed.IsZero():
				agreed = now
			case now.Sub(agreed) >= goneAgain: // else it is the answer to a request that was out when the flush began
				return k.goneFor(sarama.ErrUnknownTopicOrPartition)
			}
			again.Reset(goneAgain)
		case <-again.C:
			if k.Hurry() {
				k.c.list(k)
			}
		case <-ctx.Done():
			select {
			case err := <-answer: // it ends the looks as well
				return err
			default:
				return context.Cause(ctx)
			}
		}
	}
}

// deny tells a flush that the coordinator does not know the partition.
func (k *claim) deny(err error) {
	if !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return
	}
	select {
	case k.denied <- struct{}{}:
	default: // it has not looked at the last one yet
	}
}

// exists says whether the partition is there, or may be: nobody has said that it is not.
func (k *claim) exists(ctx context.Context) bool {
	topic, err := k.c.looks.at(ctx, k.c.set.Topics, k.claim.Topic)
	switch {
	case err != nil:
		return true
	case topic.Err != nil:
		return !errors.Is(topic.Err, sarama.ErrUnknownTopicOrPartition)
	default:
		return slices.ContainsFunc(topic.Partitions, func(p conn.Partition) bool { return p.ID == k.claim.Partition })
	}
}

// goneFor is remembered for Close, which tells why nothing was committed.
func (k *claim) goneFor(code error) error {
	err := &supervisor.GoneError{Topic: k.claim.Topic, Partition: k.claim.Partition, Err: code}
	k.mu.Lock()
	k.gone = err
	k.mu.Unlock()
	return err
}

// whyClosed is why Close drops a note.
func (k *claim) whyClosed() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone != nil {
		return k.gone
	}
	return ErrClosed
}
