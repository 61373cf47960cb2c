package committer

import (
	"context"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/messages"
)

// sending is one claim's part of a request.
type sending struct {
	k    *claim
	next int64
	meta string
}

// send makes one request of what is due, if anything is, and waits for its answer. A request is always built anew,
// never sent again, in this order:
//
//  1. read member, generation and instance id;
//  2. leave out every claim that is closed or fenced;
//  3. send, with what (1) has read.
//
// The broker compares member and generation and never asks who owns the partition. Say A owns partition 3 in
// generation 7 and has handled up to 10. With (2) before (1), or with a refused request sent once more under the
// identity of now:
//
//	A  the claim of 3 is open, 10 goes into the request
//	A  3 is revoked: the claim is closed, 3 is released, A joins: generation 8
//	B  owns 3 in generation 8, handles 11 to 79, commits 80
//	A  reads the identity: generation 8; sends 3 at 10: accepted, the committed offset goes from 80 to 10
//
// and with 95 in the place of 10 it goes ahead, which is loss. In the order above, a claim that is open at (2) was
// open at (1), and as long as it was open no other member could own its partition: whoever owns it later does so in
// a later generation, in which the identity of (1) is refused (ILLEGAL_GENERATION), or after this member was thrown
// out (UNKNOWN_MEMBER_ID). For the same reason conn.Call may send it twice, on a connection that broke while it was
// idle: the second copy has the identity of the first.
func (c *Committer) send() {
	who, now := c.set.Coordinator.Identity(), time.Now() // (1)
	due := c.Due(who, now)
	if len(due) == 0 {
		return
	}
	q := c.request(who)
	batch := c.batch[:0]
	for _, k := range due {
		p, open := c.Take(k, now) // (2)
		if !open {
			continue
		}
		meta := c.describe(k, p)
		// The leader epoch is not known here. -1 says so (KIP-320); AddBlock would claim 0, which a consumer that
		// validates its position would take for the truth.
		q.AddBlockWithLeaderEpoch(k.claim.Topic, k.claim.Partition, p.Next, -1, 0, meta)
		batch = append(batch, sending{k, p.Next, meta})
	}
	if len(batch) > 0 {
		ctx, cancel := context.WithTimeout(c.ctx, c.set.Timeout)
		answer, err := conn.Call(ctx, c.set.Coordinator, conn.Offsets, func(cn conn.Conn) (*sarama.OffsetCommitResponse, error) { // (3)
			return cn.CommitOffset(q)
		})
		cancel()
		if err != nil {
			err = noAnswer{err}
		}
		c.answered(batch, who, answer, err)
	}
	clear(batch)
	c.batch = batch
}

func (c *Committer) request(who conn.Identity) *sarama.OffsetCommitRequest {
	q := sarama.NewOffsetCommitRequest(&sarama.Config{Version: c.set.Version}, c.set.Group)
	q.ConsumerID, q.ConsumerGroupGeneration, q.GroupInstanceId = who.Member, who.Generation, who.InstanceID()
	return q
}

// answered sorts out what came of a request; err, a noAnswer, says that there was none.
func (c *Committer) answered(batch []sending, who conn.Identity, answer *sarama.OffsetCommitResponse, err error) {
	now := time.Now()
	for _, s := range batch {
		err := err
		if err == nil {
			err = codeOf(answer, s.k.claim)
		}
		v := judge(err)
		if v.bare {
			if s.meta == "" { // then it was not the metadata
				v.bare, v.pace = false, slow
			} else if c.tooLong == 0 || len(s.meta) < c.tooLong { // one request may have had several that are
				c.tooLong = len(s.meta)
			}
		}
		c.sort(s.k, v, err, now)
		if v.failed {
			c.refused(s, &CommitError{Remedy: v.remedy, Err: err}, now)
			s.k.deny(err)
		} else {
			c.acknowledged(s, now)
		}
	}
	if reports := c.Finish(who, now); reports != nil && c.ctx.Err() == nil {
		c.set.Coordinator.Report(who, reports)
	}
	for _, done := range c.dones { // last: whoever is waiting finds everything told
		done(nil)
	}
	clear(c.dones)
	c.dones = c.dones[:0]
}

func codeOf(answer *sarama.OffsetCommitResponse, claim messages.Claim) error {
	code, ok := answer.Errors[claim.Topic][claim.Partition]
	if !ok {
		return sarama.ErrIncompleteResponse
	}
	return conn.AsError(code)
}

func (c *Committer) acknowledged(s sending, now time.Time) {
	var flush bool
	c.dones, flush = s.k.Acknowledged(c.dones)
	if s.k.committed(s.next, now, flush) {
		c.inbox.Committed(s.k.claim, s.next)
	} else {
		c.untold[s.k] = struct{}{}
	}
}

func (c *Committer) refused(s sending, err error, now time.Time) {
	closed, tell := s.k.Refused()
	switch {
	case closed:
		c.Drop(s.k)
		if tell {
			c.inbox.CommitFailed(s.k.claim, s.next, err, true)
		}
	case c.ctx.Err() != nil: // Stop cut the request, and is about to close the claim
	case s.k.failed(now):
		c.inbox.CommitFailed(s.k.claim, s.next, err, false)
	}
}
