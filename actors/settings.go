package actors

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// Settings is what a supervisor gives to the mailbox and the actor of one claim. Its functions are called from
// any goroutine and must not block.
type Settings struct {
	Claim   messages.Claim
	Context context.Context //nolint:containedctx // the root of every attempt's context; it has no deadline of its own

	// Handler and Producer: exactly one. Handler is called for one record at a time; Producer makes the user's actor,
	// once per incarnation.
	Handler  func(ctx context.Context, r *messages.Record) error
	Producer actor.Producer
	Hooks    Hooks // with Handler only
	// HandlerTimeout is after how long an attempt's context ends with messages.ErrTimeout; 0: never.
	HandlerTimeout time.Duration

	// Rate limits the deliveries of records, redeliveries included.
	Rate Rate
	// StuckAfter is how long user code may be at one thing before it is called stuck; 0: for ever.
	StuckAfter time.Duration

	Records int // high mark of the backlog, in records
	Bytes   int // high mark, in bytes as Record.Size counts them
	Budget  *Budget
	Breaker *Breaker // nil: there is none
	// Gaps is how many bytes Progress.Finished may have: what the commit's metadata has room for. 0: nothing may finish
	// before what lies before it. By partition nothing does.
	Gaps int
	// Each makes a finished record wait for its commit before the next one is delivered.
	Each bool
	// Commit notes the partition's progress; see supervisor.Commits. It is called under the mailbox's lock, so that
	// notes keep their order: it must not call done before it returns. Nil: nothing is committed to Kafka.
	Commit func(p Progress, urgent bool, done func(error))
	// Wake tells the source that there is room again.
	Wake func()
	// Seek moves the source. Nil means that there is no offset store, and SeekTo is a failure.
	Seek func(offset int64, seek uint64)
	// ShedAfter is how long a partition may be parked before the records behind its head are dropped from memory; 0:
	// they never are. Reopen then moves the source back to the first of them. It is Seek for those without a store.
	ShedAfter time.Duration
	Reopen    func(offset int64, seek uint64)
	// Tell reports to the supervisor.
	Tell func(Report)
}

// Hooks are the lifecycle messages for those who have a handler and no actor. Revoked and Lost cannot fail: a
// panic in them is reported and costs nothing.
type Hooks struct {
	// Assigned is called once a claim's start is known, before its first record. It is not called again when the
	// partition actor restarts. An error or a panic goes through the policy and costs no record an attempt.
	Assigned func(ctx context.Context, c messages.Claim) error
	Revoked  func(messages.Revoked)
	Lost     func(messages.Lost)
}

// Report is what a mailbox tells its supervisor: one of Source, Farewell, Sought, Shed, Unparked and GivenUp. Offset and
// SoughtTo are set with those that name them.
type Report struct {
	Source error // the source gave up at Offset
	Offset int64
	// Farewell is a fault that is reported and nothing else, because nobody decides about it: a panic in Revoked, Lost,
	// Stopping, Stopped or Restarting; while the claim is being given up, any that is no record's, a handler's panic, and
	// the error of a record that was kept; and a third one, while a second waits for the verdict on the first.
	Farewell error
	Sought   bool // a handler's SeekTo moved the partition from Offset to SoughtTo
	SoughtTo int64
	Shed     *Shed            // a long park has dropped these
	Unparked bool             // the park of the record at Offset, by name, has ended: it has succeeded, or the position has moved
	GivenUp  *messages.Record // by a resume without a verdict
}
