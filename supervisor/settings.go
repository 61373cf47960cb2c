package supervisor

import (
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// Settings are those of one supervisor. Package consumer makes them from its Config.
type Settings struct {
	Group   string
	Topics  []string // that the consumer subscribes to; nil: anything may be paused
	Connect Connector

	// Handling is what is done with the records of all topics but those of PerTopic, each of which has all of it anew.
	Handling
	PerTopic map[string]*Handling

	Strategy actor.SupervisorStrategy // in the place of every policy
	// DeadLetters writes what the policy, or an operator, dead-letters. nil: the Link's does.
	DeadLetters DeadLetterWriter

	Records    int // high mark of one backlog, in records
	Bytes      int // in bytes
	TotalBytes int // of all backlogs
	// ShedAfter is how long a partition may be parked before the records behind its head are dropped from memory, to
	// be fetched again when it goes on; 0: they never are.
	ShedAfter time.Duration
	// Gaps is how many bytes a commit has for what is finished beyond its offset; see actors.Settings.
	Gaps int
	Each bool

	Store      bool // an offset store: SeekTo is an outcome, Skip advances it
	StoreAlone bool // nothing is committed to Kafka

	DrainTimeout time.Duration
	Reserve      time.Duration // between a revocation's deadline and the member being thrown out: for cancelling and the flush
	// Embedded makes an escalation reach the parent actor; otherwise only Ended is told.
	Embedded    bool
	Logger      *slog.Logger
	LogContents bool
	Random      func() float64 // for jitter; nil: none
	// Event is told what happens, besides subscribers; it must not block. It may be nil.
	Event func(messages.Event)
	// Ended is told once an incarnation has ended, with what Run returns. It may be nil.
	Ended func(error)
}

// grace is how long a handler whose context has ended may take to return before it is abandoned.
func (s *Settings) grace() time.Duration { return min(s.Reserve/4, 2*time.Second) }

// flushing is how long the last commit of a claim may take beyond its deadline.
func (s *Settings) flushing() time.Duration { return max(s.Reserve/2, 100*time.Millisecond) }
