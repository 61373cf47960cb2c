package committer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// read is somebody who waits for committed offsets.
type read struct {
	place
	whole  bool // of every partition of the topic, not of the one alone
	ctx    context.Context
	answer chan readAnswer // of one
}

type readAnswer struct {
	found map[int32]*sarama.OffsetFetchResponseBlock // by partition; those without an offset are left out
	err   error
}

// ReadError says that a committed offset cannot be read until somebody acts.
type ReadError struct {
	Group, Topic string
	Partition    int32
	Remedy       string
	Err          error
}

// Error names the place and the remedy.
func (e *ReadError) Error() string {
	return fmt.Sprintf("ottla: the offset that group %s has committed for %s/%d cannot be read: %v (%s)",
		e.Group, e.Topic, e.Partition, e.Err, e.Remedy)
}

// Unwrap returns the broker's error.
func (e *ReadError) Unwrap() error { return e.Err }

// lasting are the errors, of reads and of the log's range, that trying again does not help against. With all others
// it does, sooner or later: coordinators move and load, transactions end, topics appear.
var lasting = map[sarama.KError]string{
	sarama.ErrGroupAuthorizationFailed:   "grant READ on the group to this client's principal",
	sarama.ErrTopicAuthorizationFailed:   "grant READ and DESCRIBE on the topic to this client's principal",
	sarama.ErrClusterAuthorizationFailed: "grant DESCRIBE on the cluster to this client's principal",
	sarama.ErrInvalidGroupId:             "correct the group's name",
	sarama.ErrInvalidTopic:               "correct the topic's name",
}

// committed reads the offset that is committed for one partition, or, with whole, for all partitions of its topic.
// What passes by itself is waited out. Reads that wait at the same time go into one request.
func (c *Committer) committed(ctx context.Context, at place, whole bool) (map[int32]*sarama.OffsetFetchResponseBlock, error) {
	r := &read{place: at, whole: whole, ctx: ctx, answer: make(chan readAnswer, 1)}
	c.mu.Lock()
	c.reads = append(c.reads, r)
	c.mu.Unlock()
	c.wakeUp()
	select {
	case a := <-r.answer:
		return a.found, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// fetch makes one OffsetFetch request of what is waited for, if anything is, and waits for its answer.
func (c *Committer) fetch() {
	reads := c.waiting()
	who, now := c.set.Coordinator.Identity(), time.Now()
	if len(reads) == 0 || c.readHold.active(who, now) {
		return
	}
	asked := make(map[string][]int32)
	for _, r := range reads {
		asked[r.topic] = append(asked[r.topic], r.partition)
	}
	whole := slices.ContainsFunc(reads, func(r *read) bool { return r.whole })
	if whole {
		asked = nil // all that the group has: nobody knows which partitions that are
	}
	q := sarama.NewOffsetFetchRequest(c.set.Version, c.set.Group, asked)
	// Else the offset that an open transaction is about to commit is missed (KIP-447).
	q.RequireStable = q.Version >= 7 && !c.unstable

	ctx, cancel := context.WithTimeout(c.ctx, c.set.Timeout)
	answer, err := conn.Call(ctx, c.set.Coordinator, conn.Offsets, func(cn conn.Conn) (*sarama.OffsetFetchResponse, error) {
		return cn.FetchOffset(q)
	})
	cancel()
	if errors.As(err, new(sarama.PacketEncodingError)) && q.RequireStable {
		c.unstable = true // the broker offers an older version, in which this cannot be said
		return
	}
	if err != nil {
		err = noAnswer{err}
	} else {
		err = conn.AsError(answer.GroupError())
	}
	if errors.Is(err, sarama.ErrGroupIDNotFound) { // a group that never committed; Kafka itself answers with no offsets
		err, answer = nil, nil
	}
	c.sortOut(reads, answer, err, whole, who)
}

// sortOut answers the reads that can be answered; the others stay for the next request.
func (c *Committer) sortOut(reads []*read, answer *sarama.OffsetFetchResponse, err error, whole bool, who conn.Identity) {
	var passing error
	if err != nil && judge(err).report && c.ctx.Err() == nil {
		c.set.Coordinator.Report(who, err)
	}
	for _, r := range reads {
		found, err := map[int32]*sarama.OffsetFetchResponseBlock(nil), err
		if err == nil && answer != nil {
			found, err = r.pick(answer, whole)
		}
		var code sarama.KError
		switch errors.As(err, &code); {
		case err == nil:
			c.finish(r, readAnswer{found: found})
		case lasting[code] != "":
			c.finish(r, readAnswer{err: &ReadError{c.set.Group, r.topic, r.partition, lasting[code], err}})
		default:
			passing = err
		}
	}
	now := time.Now()
	if passing == nil {
		c.readHold.clear()
		return
	}
	c.readHold.fail(quick, who, now)
	if now.Sub(c.warnedAt) >= 10*time.Second && c.ctx.Err() == nil {
		c.warnedAt = now
		c.set.Logger.Warn("committed offsets cannot be read yet: claims wait for their start",
			slog.String("group", c.set.Group), slog.Int("claims", len(reads)), slog.Any("error", passing))
	}
}

// pick finds what was asked for. whole: the request was for all that the group has, and the answer leaves out what has
// no offset.
func (r *read) pick(answer *sarama.OffsetFetchResponse, whole bool) (map[int32]*sarama.OffsetFetchResponseBlock, error) {
	blocks := answer.Blocks[r.topic]
	if len(answer.Groups) > 0 {
		blocks = answer.Groups[0].Blocks[r.topic]
	}
	if !whole && blocks[r.partition] == nil {
		return nil, sarama.ErrIncompleteResponse
	}
	found := make(map[int32]*sarama.OffsetFetchResponseBlock)
	for p, b := range blocks {
		switch {
		case !r.whole && p != r.partition:
		case b.Err != sarama.ErrNoError:
			return nil, b.Err
		case b.Offset >= 0:
			found[p] = b
		}
	}
	return found, nil
}

// waiting are the reads that somebody still waits for.
func (c *Committer) waiting() []*read {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, r := range c.reads {
		if r.ctx.Err() == nil {
			c.reads[n] = r
			n++
		}
	}
	clear(c.reads[n:])
	c.reads = c.reads[:n]
	return append([]*read(nil), c.reads...)
}

func (c *Committer) finish(r *read, a readAnswer) {
	r.answer <- a
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.reads {
		if c.reads[i] == r {
			c.reads = append(c.reads[:i], c.reads[i+1:]...)
			return
		}
	}
}
