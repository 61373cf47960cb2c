package consumer

import (
	"log/slog"
	"time"

	"github.com/IBM/sarama"
	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/supervisor"
)

// Config is everything a consumer needs. Brokers, Group, Topics or PerTopic, and one of Handler and Actor for each topic are
// required; the zero value of every other field is the default that its comment names. It is read once, when the consumer
// is made: change it before, and copy it freely.
type Config struct {
	// Brokers are where to ask first, as host:port. The others are learned from them.
	Brokers []string
	// Group is the consumer group: its members share the partitions of their topics.
	Group string
	// Topics are what is consumed. A topic that does not exist is waited for, with a notice in the log and in
	// readiness; asking for it does not create it.
	Topics []string
	// PerTopic has what is different for some topics: their handler or actor, hooks, policy, timeouts and rate. A field of a Topic
	// that is zero is inherited from here. Its keys are consumed, too, whether or not Topics has them. Default: none.
	PerTopic map[string]Topic

	// Handler is called for each record. Exactly one of Handler and Actor is given, or none where every topic has its own in
	// PerTopic.
	Handler Handler
	// Actor makes the actor of one partition, once per incarnation. It receives each *messages.Record as a message
	// and answers it with Record.Complete; and *messages.Assigned before the first record, *messages.Revoked and
	// *messages.Lost at the end.
	Actor actor.Producer
	// Hooks tell a Handler of its partitions' life. An Actor gets messages in their place. Default: none.
	Hooks Hooks

	// Policy says what failures mean. Default: supervisor.DefaultPolicy(), which retries for ever.
	Policy supervisor.Policy
	// Strategy is a plain protoactor strategy in the place of Policy: resume skips the record, restart delivers it
	// again to a fresh incarnation, stop parks the partition, escalate drains the consumer and fails it.
	// Default: none.
	Strategy actor.SupervisorStrategy

	// DeadLetters writes what the policy, or an operator, dead-letters, elsewhere than to Kafka. Without it a dead letter
	// goes to the topic that the directive names, on the same brokers: to the partition of the same number where the topic
	// has it, else by key; idempotent, and acknowledged by all replicas in sync; key, value and headers byte for byte, and
	// what is known of the failure in headers that begin with "ottla-dlt-". A topic that the policy names and that does not
	// exist is an error when the consumer starts. Default: none.
	DeadLetters supervisor.DeadLetterWriter
	// CreateDeadLetterTopics creates topics that the policy names and that do not exist, with as many partitions as the
	// largest consumed topic, and the brokers' own replication. Default: false.
	CreateDeadLetterTopics bool

	// Backlog bounds what is fetched and not finished.
	Backlog Backlog
	// Fetch tunes how records are fetched.
	Fetch Fetch
	// Limit bounds how fast records are handed out.
	Limit Limit
	// Isolation says what becomes of the records of transactions. Default: ReadCommitted.
	Isolation Isolation
	// Commit says when offsets are committed to Kafka.
	Commit Commit
	// Offsets says where offsets are kept, and where to begin without one.
	Offsets Offsets

	// Balance lists how partitions may be shared out, the preferred one first. The group uses one that all of its
	// members list. Default: [cooperative-sticky].
	Balance []Balance
	// InstanceID makes a static member (KIP-345): restarted within SessionTimeout it has its partitions back
	// without a rebalance. It must be unique in the group; the later of two takes over. Default: none.
	InstanceID string

	// HandlerTimeout bounds one attempt at a record: when it is over, the attempt's context ends with messages.ErrTimeout.
	// An error that the handler returns afterwards is a failure of messages.ClassTimeout; nil is success, however late. What
	// the policy says is done once the handler has returned, and the partition waits until then: a second handler never
	// runs beside one that does not heed its context. A record that was kept is failed at once. With a HandlerTimeout each
	// attempt has a context of its own, which ends when the attempt does. Default: none.
	HandlerTimeout time.Duration
	// StuckAfter is how long a handler, an actor or a hook may be at one thing, or a record be kept, before it is reported:
	// in the log and as an event, with the stack of its goroutine, and named in status and readiness. Nothing is done about it. It
	// is reported again when the time has doubled. For "never" use a time that is long enough. Default: 5m.
	StuckAfter time.Duration
	// DrainTimeout bounds what a drain waits for handlers: then their contexts end, and those that do not heed it are
	// abandoned after a grace of at most 2 s. Run may return later than that by the grace and by a reserve for the last
	// commits and for leaving the group, the lesser of HeartbeatInterval + 5 s and half of RebalanceTimeout: by 10 s
	// with the defaults. Default: 30s.
	DrainTimeout time.Duration
	// SessionTimeout is how long the group waits for a silent member before it gives its partitions to others. It
	// must lie within the broker's group.min.session.timeout.ms and group.max.session.timeout.ms (6 s and 30 min by
	// default). A broker that dies is missed for 9 s by its cluster, so below 15 s a group may lose its members
	// together with its coordinator. Default: 45s.
	SessionTimeout time.Duration
	// RebalanceTimeout is how long the group waits for members to give up partitions and join. A handler that is
	// still running when it is over, less a reserve for cancelling it, is abandoned. It also bounds how long partitions
	// are kept while the coordinator does not answer, because the group may have gone on without us: below 15 s a group
	// may lose its members together with its coordinator. At least three times HeartbeatInterval.
	// Default: 1m.
	RebalanceTimeout time.Duration
	// HeartbeatInterval is the time between two signs of life; with it, a rebalance is noticed. At most half of
	// SessionTimeout. Default: 3s.
	HeartbeatInterval time.Duration

	// TLS encrypts all connections, once any of its fields is set. Default: off.
	TLS TLS
	// SASL authenticates all connections, once any of its fields is set. Default: off.
	SASL SASL

	// Logger takes everything that is logged, protoactor's and sarama's own lines included. Default: slog.Default().
	Logger *slog.Logger
	// LogContents adds keys and values of failed records to the log. Default: false. Without it nothing of a record
	// is shown, in the log or over HTTP, by what is Ottla's: failures to decode are told without their values. The
	// text of an error or a panic of a handler's own is shown as it is: keep contents out of it.
	LogContents bool

	// Sarama may change the configuration that dials, last of all: Net, Version, ClientID and MetricRegistry. A
	// change to RackID, Metadata, and to what of Net is about requests, has no effect and gives a warning; anything
	// else that it changes is refused, and so is taking away what TLS or SASL has set, as a function that puts a whole
	// configuration of its own there does. It may be called more than once. Default: none.
	Sarama func(*sarama.Config)

	warnings []string // of ConfigFromEnv
}

// Backlog bounds the records that are fetched and not finished. A partition that is full is not asked for more
// until half of its bound is free. What is being fetched comes on top: for each connection up to Fetch.MaxBytes on the
// wire, or one batch if that is larger, and what that decompresses to. A single batch may decompress to any size, unless
// the program sets sarama.MaxDecompressedBatchSize, a variable of the whole process, before it starts consumers.
type Backlog struct {
	// Records bounds one partition. Default: 20000.
	Records int
	// Bytes bounds one partition: keys, values, headers, 256 B a record and 56 B a header. A bound that is not well above one
	// fetch (Fetch.PartitionBytes) makes the partition wait for each. Default: 8 MiB.
	Bytes int
	// TotalBytes bounds all partitions together: a rebalance that brings more of them multiplies the bound of one.
	// Past it, the largest backlogs pause first. Default: 256 MiB.
	TotalBytes int
	// ShedAfter is how long a partition may be parked before what was fetched behind its head is dropped from memory,
	// whoever parked it, and the partition is not fetched any more. When it goes on, it is fetched again from the first
	// record that was dropped: nothing is lost or handled twice, unless retention deletes it meanwhile, for which
	// Offsets.OutOfRange is the choice. A holding partition, whose backoff ends by itself, drops nothing. For "never" use
	// a time that is long enough. Default: 1m.
	ShedAfter time.Duration
}

// Fetch tunes the requests that fetch records.
type Fetch struct {
	// MaxWait is how long a broker may wait for a first record before it answers with none. A partition that is
	// opened beside idle ones waits for it at most. From 1ms to 30s. Default: 100ms.
	MaxWait time.Duration
	// PartitionBytes is what is asked for from one partition at most. A single batch comes whole even if it is
	// larger (KIP-74). Default: 1 MiB.
	PartitionBytes int
	// MaxBytes is what is asked for in one request at most. Default: 8 MiB.
	MaxBytes int
	// Connections per broker; the partitions led there are divided among them. Default: 2.
	Connections int
}

// Isolation says what becomes of the records of transactions.
type Isolation uint8

const (
	// ReadCommitted leaves out what was aborted, and waits for transactions that are open.
	ReadCommitted Isolation = iota
	// ReadUncommitted delivers every record as soon as it is replicated.
	ReadUncommitted
)

// String names the level as Kafka does.
func (i Isolation) String() string {
	switch i {
	case ReadCommitted:
		return "ReadCommitted"
	case ReadUncommitted:
		return "ReadUncommitted"
	default:
		return unknown("Isolation", i)
	}
}

// Commit says when offsets are committed to Kafka.
type Commit struct {
	// Mode weighs throughput against duplicates after a crash. Default: CommitCoalesced.
	Mode CommitMode
	// Interval is the least time between two requests of CommitCoalesced while backlogs are not empty; an empty one
	// commits at once. 1ns means none. CommitEach has no interval. Default: 20ms.
	Interval time.Duration
}

// CommitMode says which finished records a commit covers.
type CommitMode uint8

const (
	// CommitCoalesced has one request in flight for all partitions, and covers all that has finished by then. A
	// crash repeats what finished since the last answer: some tens of milliseconds of work.
	CommitCoalesced CommitMode = iota
	// CommitEach delivers the next record of a partition only once the last one is committed. A crash repeats at
	// most one record per partition. It costs a round trip a record: about 90 records/s per partition on a
	// replicated cluster.
	CommitEach
)

// String is the mode's name.
func (m CommitMode) String() string {
	switch m {
	case CommitCoalesced:
		return "CommitCoalesced"
	case CommitEach:
		return "CommitEach"
	default:
		return unknown("CommitMode", m)
	}
}
