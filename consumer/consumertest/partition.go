package consumertest

import (
	"slices"
	"testing/synctest"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// Partition is one claim: one ownership of one partition by the consumer, from Assign on. Its log, and what was
// committed for it, are shared by all claims of the same partition.
type Partition struct {
	k     *Kit
	log   *partitionLog
	claim messages.Claim
	link  *link

	// Under k.mu.
	mailbox    mailbox
	deliveries []Delivery
	running    int
	last       *messages.Record // that was delivered
	lastAt     time.Time        // when its handler, or Receive, returned
	commits    []Commit
	releasedAt time.Time
}

// mailbox is what the kit asks of a claim's mailbox.
type mailbox interface {
	actors.Sink
	Snapshot() messages.PartitionStatus
	Stale(r *messages.Record) error
}

// Commit is one acknowledged offset commit.
type Commit struct {
	actors.Progress
	Metadata string        // as it stands at the broker
	At       time.Duration // virtual time since Run began
}

// Claim is the ownership that this is about.
func (p *Partition) Claim() messages.Claim { return p.claim }

// Append produces records with these values, one after the other, and answers them.
func (p *Partition) Append(values ...string) []*messages.Record {
	return p.k.Produce(p.claim.Topic, p.claim.Partition, values...)
}

// AppendRecords produces records with keys, headers and times of their own. An Offset above the end of the log leaves a
// hole there, as compaction does; any other means the next one. It sets topic, partition, offset and time in them and
// answers them. They must not be changed afterwards.
func (p *Partition) AppendRecords(records ...*messages.Record) []*messages.Record {
	return p.k.ProduceRecords(p.claim.Topic, p.claim.Partition, records...)
}

// Hole moves the end of the log without records, as transaction markers do.
func (p *Partition) Hole(offsets int64) {
	p.log.hole(offsets)
	p.k.wake()
}

// Truncate deletes what lies below the offset, as retention does.
func (p *Partition) Truncate(offset int64) {
	p.k.Truncate(p.claim.Topic, p.claim.Partition, offset)
}

// FailSource makes every fetch of the partition fail with err, which parks it; nil heals, but what has failed stays so
// until it is asked again.
func (p *Partition) FailSource(err error) {
	p.log.damage(err)
	p.k.wake()
}

// Corrupt makes fetching fail at one offset, as a batch does that cannot be read; nil heals.
func (p *Partition) Corrupt(offset int64, err error) {
	p.log.damageAt(offset, err)
	p.k.wake()
}

// Revoke gives the partition to another member, with the time that a group leaves by default, and waits for the
// release. It answers how long that took. What is due in that time happens elsewhere, too.
func (p *Partition) Revoke() time.Duration {
	p.k.t.Helper()
	return p.RevokeWithin(p.k.cfg.RebalanceTimeout - p.k.set.Reserve)
}

// RevokeWithin is Revoke with a deadline.
func (p *Partition) RevokeWithin(deadline time.Duration) time.Duration {
	p.k.t.Helper()
	began := time.Now()
	p.StartRevoke(deadline)
	return p.AwaitRelease().Sub(began)
}

// StartRevoke is RevokeWithin without waiting for the release.
func (p *Partition) StartRevoke(deadline time.Duration) {
	p.k.story.addf("-- %v is revoked, with %v", p.claim, deadline)
	p.link.membership.revoke(p.claim, time.Now().Add(deadline))
	synctest.Wait()
}

// AwaitRelease waits until the supervisor has released the claim, and answers when that was.
func (p *Partition) AwaitRelease() time.Time {
	p.k.t.Helper()
	m, limit := p.link.membership, time.Now().Add(p.k.cfg.RebalanceTimeout+p.k.patience())
	for {
		m.mu.Lock()
		_, owned := m.owned[p.claim.Sequence]
		change := m.change
		m.mu.Unlock()
		if !owned {
			break
		}
		if !p.k.within(change, time.Until(limit)) {
			p.k.t.Fatalf("%v was not released:\n%v", p.claim, p.k.describe())
		}
	}
	synctest.Wait()
	p.k.mu.Lock()
	defer p.k.mu.Unlock()
	return p.releasedAt
}

// Owned says whether the claim has been neither released nor lost.
func (p *Partition) Owned() bool { return p.link.membership.owns(p.claim) }

// Lose ends the claim as a membership does that has expired: somebody else may own it.
func (p *Partition) Lose(err error) {
	p.k.story.addf("-- %v is lost: %v", p.claim, err)
	p.link.membership.lose(err, p.claim)
	synctest.Wait()
}

// Send hands a message to the partition's actor.
func (p *Partition) Send(message any) {
	p.k.Tell(&messages.Forward{Topic: p.claim.Topic, Partition: p.claim.Partition, Message: message})
}

// Head is the target of an operator's command.
func (p *Partition) Head(offset int64) messages.Head {
	return messages.Head{Topic: p.claim.Topic, Partition: p.claim.Partition, Offset: offset}
}

// Retry gives the command RetryHead, Skip SkipHead, and Park ParkHead, by "test"; they answer the Result's error.
func (p *Partition) Retry(offset int64) error {
	return p.k.Do(&messages.RetryHead{Head: p.Head(offset), By: "test"}).Err
}

// Skip see Retry.
func (p *Partition) Skip(offset int64) error {
	return p.k.Do(&messages.SkipHead{Head: p.Head(offset), By: "test"}).Err
}

// Park see Retry.
func (p *Partition) Park(offset int64, reason string) error {
	return p.k.Do(&messages.ParkHead{Head: p.Head(offset), Reason: reason, By: "test"}).Err
}

// Deliveries are the attempts of this claim so far, in order.
func (p *Partition) Deliveries() []Delivery {
	synctest.Wait()
	p.k.mu.Lock()
	defer p.k.mu.Unlock()
	return slices.Clone(p.deliveries)
}

// Offsets are those of Deliveries.
func (p *Partition) Offsets() []int64 {
	var offsets []int64
	for _, d := range p.Deliveries() {
		offsets = append(offsets, d.Offset)
	}
	return offsets
}

// Decisions are what was decided about the partition's failures, in order, earlier claims of it included.
func (p *Partition) Decisions() []messages.Decision {
	var decisions []messages.Decision
	for _, f := range p.Failures() {
		decisions = append(decisions, f.Decision)
	}
	return decisions
}

// Failures are the partition's, each with what was decided, earlier claims of it included.
func (p *Partition) Failures() []*messages.Failed {
	var failures []*messages.Failed
	for _, e := range p.k.Events() {
		if f, ok := e.(*messages.Failed); ok && f.Failure.Topic == p.claim.Topic && f.Failure.Partition == p.claim.Partition {
			failures = append(failures, f)
		}
	}
	return failures
}

// Committed is the offset that stands at the broker, whoever committed it; -1: none.
func (p *Partition) Committed() int64 {
	synctest.Wait()
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.committed
}

// Commits are the acknowledged commits of this claim so far, in order. Without CommitEach it depends on chance how many
// records one of them covers.
func (p *Partition) Commits() []Commit {
	synctest.Wait()
	p.k.mu.Lock()
	defer p.k.mu.Unlock()
	return slices.Clone(p.commits)
}

// Status is the claim's. When it has ended, State is StateStopping and nothing else is known.
func (p *Partition) Status() messages.PartitionStatus {
	for _, s := range p.k.Status().Partitions {
		if s.Claim.Sequence == p.claim.Sequence {
			return s
		}
	}
	return messages.PartitionStatus{Claim: p.claim, State: messages.StateStopping, Head: -1, Lag: -1, Committed: -1}
}

// Release lets all handlers go on that are blocked on the partition, and answers how many.
func (p *Partition) Release() int {
	n := p.k.release(func(b *blocked) bool { return b.at == p.log.place })
	synctest.Wait()
	return n
}
