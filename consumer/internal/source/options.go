package source

import (
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// Isolation says whether the records of open and aborted transactions are read (KIP-98, isolation.level).
type Isolation uint8

const (
	// ReadCommitted reads up to the last stable offset and leaves out what was aborted.
	ReadCommitted Isolation = iota
	// ReadUncommitted reads everything up to the high-water mark.
	ReadUncommitted
)

func (i Isolation) level() sarama.IsolationLevel {
	if i == ReadUncommitted {
		return sarama.ReadUncommitted
	}
	return sarama.ReadCommitted
}

// Options of a Source. The zero value of all but Config and Cluster is the default that is named there.
type Options struct {
	// Config gives Net, Version, ClientID and MetricRegistry; the rest of it has no effect. Required.
	// Its RackID is not sent: the leader would answer with a closer replica and no records (KIP-392), and reading
	// from followers is not supported.
	Config *sarama.Config
	// Cluster says who leads a partition. The source does not close it. Required.
	Cluster *conn.Cluster

	// MaxWait is how long a broker may wait for a record before it answers that there is none; default 100 ms. A
	// partition that is opened, sought or woken beside idle ones waits for it at most.
	MaxWait time.Duration
	// PartitionBytes bounds what one partition may have of an answer, on the wire; default 1 MiB.
	PartitionBytes int
	// MaxBytes bounds an answer, on the wire; default 8 MiB. One batch comes whatever its size.
	MaxBytes int
	// Connections to each broker; default 2. With three brokers or more, a second one gains nothing.
	Connections int
	// Backoff is the pause before the second attempt at a partition that could not be read, the first comes at once;
	// default 100 ms. It doubles up to five times this.
	Backoff time.Duration
	// RequestTimeout is how long a broker may be silent, beyond MaxWait, before its connection is cut; default 10 s.
	// An answer that is on its way, however slowly, is not cut.
	RequestTimeout time.Duration
	// Isolation is ReadCommitted by default.
	Isolation Isolation

	// Notice is told when a partition could not be read for ten seconds for a reason that may pass (its topic does
	// not exist, it has no leader, the broker does not answer), once for each topic, and nil when none is left.
	// It may be called from any goroutine and must not block nor call the source.
	Notice func(error)
	// Logger gets a debug line for each failed attempt; default none.
	Logger *slog.Logger

	hold        time.Duration // least length of a long poll while a partition is full
	longPolls   bool          // do not shorten them: for the test that shows why they are
	noticeAfter time.Duration
	retireAfter time.Duration // a connection without partitions is closed
	watchEvery  time.Duration // the high-water marks of paused partitions are asked for
}

var (
	errNoConfig  = errors.New("source: Options.Config is missing: give the sarama configuration of the consumer")
	errNoCluster = errors.New("source: Options.Cluster is missing: give the connections to the cluster")
)

func (o Options) filled() (Options, error) {
	if o.Config == nil {
		return o, errNoConfig
	}
	if o.Cluster == nil {
		return o, errNoCluster
	}
	orElse(&o.MaxWait, 100*time.Millisecond)
	orElse(&o.PartitionBytes, 1<<20)
	orElse(&o.MaxBytes, 8<<20)
	o.MaxBytes = min(o.MaxBytes, math.MaxInt32) // as the wire has it
	o.PartitionBytes = min(o.PartitionBytes, o.MaxBytes)
	orElse(&o.Connections, 2)
	orElse(&o.Backoff, 100*time.Millisecond)
	orElse(&o.RequestTimeout, 10*time.Second)
	orElse(&o.hold, time.Millisecond)
	orElse(&o.noticeAfter, 10*time.Second)
	orElse(&o.retireAfter, 30*time.Second)
	orElse(&o.watchEvery, 10*time.Second)
	if o.Notice == nil {
		o.Notice = func(error) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func orElse[T int | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}
