package supervisor

import (
	"context"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
)

// The seams: package consumer fills them with Kafka, package consumertest with a script.

// Link is one incarnation's connection to the group: what a Connector gives.
type Link struct {
	Membership Membership
	Source     Source
	Committer  Committer
	// DeadLetters is what Settings.DeadLetters is when that is nil. Committer.Stop ends it, too.
	DeadLetters DeadLetterWriter
}

// Connector makes the link of one supervisor incarnation. It must not block: connections are made in the
// background and failures are told to the inbox. Nothing may be told before Membership.Start.
type Connector func(inbox Inbox) (Link, error)

// Inbox is what a Membership and a Committer tell the supervisor. Its methods send a message and return at
// once; they are safe for concurrent use and keep the order of one caller.
type Inbox interface {
	// Joined tells the identity of now, for status.
	Joined(member string, generation int32)
	// Assigned: these partitions are ours from now on.
	Assigned(claims []messages.Claim)
	// Revoked: finish, flush, then Membership.Released, at the latest a little after the deadline.
	Revoked(claims []messages.Claim, deadline time.Time)
	// Lost: not ours any more, nothing can be committed. Released is not expected.
	Lost(claims []messages.Claim, err error)
	// Ended: the membership is over for good and for this reason; whatever was owned was told lost before.
	// Not told after Leave or Close.
	Ended(err error)
	// CommitFailed: an offset commit was refused or unanswered.
	CommitFailed(claim messages.Claim, next int64, err error, final bool)
	// Committed: acknowledged.
	Committed(claim messages.Claim, next int64)
	// Notice is something that a user should read in the log: a topic that does not exist, a coordinator that
	// does not answer. Readiness follows it: nil clears.
	Notice(err error)
}

// Membership is a place in a consumer group. Its methods do not block, but for Leave.
type Membership interface {
	// Start joins. Called once.
	Start()
	// Released: the claims' actors have ended and their offsets are flushed, after Revoked.
	Released(claims []messages.Claim)
	// Leave tells Revoked for everything owned, waits until all of it is Released, leaves the group and waits
	// for the answer. The end of ctx cuts it short. Called once.
	Leave(ctx context.Context) error
	// Close ends without leaving, as a crash would. It waits for the membership's own goroutines. It may be
	// called at any time, also after Leave, and more than once.
	Close()
}

// Source feeds claims from Kafka.
type Source interface {
	// Open starts to fetch for the claim at an absolute offset, as seek number seek.
	Open(claim messages.Claim, offset int64, seek uint64, sink actors.Sink)
	// Seek makes offset the next one to fetch. What older seeks fetched is not delivered after it returns. It is called
	// from any goroutine, and so perhaps after a newer seek, or after Close: then it does nothing.
	Seek(claim messages.Claim, offset int64, seek uint64)
	// Wake says that the claim's sink may have room again.
	Wake(claim messages.Claim)
	// Close ends the claim: nothing is delivered after it returns.
	Close(claim messages.Claim)
	// Stop ends everything and waits for the source's own goroutines. More than once is fine.
	Stop()
}

// OutOfRangeError is what a Source tells a sink when the wanted offset is not in the log.
type OutOfRangeError struct {
	Offset int64
	Err    error
}

// Error names the offset.
func (e *OutOfRangeError) Error() string {
	return "ottla: offset " + itoa(e.Offset) + " is not in the partition's log: " + e.Err.Error()
}

// Unwrap returns the broker's error.
func (e *OutOfRangeError) Unwrap() error { return e.Err }

// GoneError is why the last offset of a claim is not committed: its partition was deleted. Nothing of it will be handled
// again.
type GoneError struct {
	Topic     string
	Partition int32
	Err       error // the broker's
}

// Error names the partition.
func (e *GoneError) Error() string {
	return "ottla: " + e.Topic + "/" + itoa(int64(e.Partition)) + " does not exist any more, neither for the group's coordinator nor in the cluster's metadata: " + e.Err.Error()
}

// Unwrap returns the broker's error.
func (e *GoneError) Unwrap() error { return e.Err }

// Committer keeps the offsets of claims.
type Committer interface {
	// Claim opens the commits of one claim. It does not block.
	Claim(claim messages.Claim) Commits
	// Stop ends everything and waits for the committer's own goroutines. What was not flushed is not committed.
	// More than once is fine.
	Stop()
}

// Commits are the offset commits of one claim. A commit belongs to a claim, not to a partition: the broker
// checks member and generation, never who owns the partition, so that a late commit with a fresh
// generation would move another owner's offset.
type Commits interface {
	// Start finds where the claim begins: the committed offset with its metadata, or the offset store's; checked
	// against the log's range; start choices resolved to a number. It may block until ctx ends.
	Start(ctx context.Context) (Start, error)
	// Readable applies the out-of-range choice in the middle of a claim; offset is the one that is not in the log.
	// With skip it answers the next readable offset whatever the choice is.
	Readable(ctx context.Context, offset int64, skip bool) (int64, error)
	// Commit notes that everything below p.Next is finished. It never blocks; a newer note replaces an older one
	// that was not sent yet. done, if not nil, is called once, never
	// before Commit returns and with no lock held: with nil when the position (or a
	// later one) was acknowledged, with an error when the claim was closed before. urgent asks for a request at once.
	Commit(p actors.Progress, urgent bool, done func(error))
	// Advance moves the offset store past a skipped record; nil at once without a store.
	Advance(ctx context.Context, next int64) error
	// Flush waits until the last note is acknowledged, or ctx ends, or the claim is closed. A GoneError says that the
	// partition does not exist any more, so that there is nothing to wait for.
	Flush(ctx context.Context) error
	// Close ends the claim's commits for good: what is not yet sent is dropped, with an event, and no retry is
	// sent afterwards. It does not wait for a request in flight.
	Close()
}

// Start is where a claim begins.
type Start struct {
	Next     int64
	Fence    int64           // of the offset store
	Progress actors.Progress // what the metadata of the last owner carried: attempts and a park of the record at Next
	Moved    *messages.Moved // set when an out-of-range choice was applied
}
