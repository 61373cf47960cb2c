package consumer

import (
	"cmp"
	"log/slog"
	"maps"
	"time"

	"github.com/ottla-go/ottla/supervisor"
)

// The defaults of numbers and times. Those of enums are their zero values.
const (
	defaultRecords        = 20_000
	defaultBytes          = 8 << 20
	defaultTotalBytes     = 256 << 20
	defaultShedAfter      = time.Minute
	defaultMaxWait        = 100 * time.Millisecond
	defaultPartitionBytes = 1 << 20
	defaultMaxBytes       = 8 << 20
	defaultConnections    = 2
	defaultCommitInterval = 20 * time.Millisecond
	defaultStuckAfter     = 5 * time.Minute
	defaultDrain          = 30 * time.Second
	defaultSession        = 45 * time.Second // Kafka's own since 3.0 (KIP-735)
	defaultRebalance      = time.Minute      // sarama's; Kafka's is max.poll.interval.ms, 5 min
	defaultHeartbeat      = 3 * time.Second  // Kafka's
)

// WithDefaults is a copy with every zero field replaced by its default: the configuration that holds. A Policy
// stays nil beside a Strategy, and the fields of PerTopic stay as they are: zero means inherited.
func (c Config) WithDefaults() Config {
	set(&c.Backlog.Records, defaultRecords)
	set(&c.Backlog.Bytes, defaultBytes)
	set(&c.Backlog.TotalBytes, defaultTotalBytes)
	set(&c.Backlog.ShedAfter, defaultShedAfter)
	set(&c.Fetch.MaxWait, defaultMaxWait)
	set(&c.Fetch.PartitionBytes, defaultPartitionBytes)
	set(&c.Fetch.MaxBytes, defaultMaxBytes)
	set(&c.Fetch.Connections, defaultConnections)
	set(&c.Commit.Interval, defaultCommitInterval)
	set(&c.Offsets.Start, Earliest)
	set(&c.Offsets.OutOfRange, Fail)
	set(&c.StuckAfter, defaultStuckAfter)
	set(&c.DrainTimeout, defaultDrain)
	set(&c.SessionTimeout, defaultSession)
	set(&c.RebalanceTimeout, defaultRebalance)
	set(&c.HeartbeatInterval, defaultHeartbeat)
	c.PerTopic = maps.Clone(c.PerTopic) // what the caller does to his map later is not ours
	if len(c.Balance) == 0 {
		c.Balance = []Balance{CooperativeSticky}
	}
	if c.Policy == nil && c.Strategy == nil {
		c.Policy = supervisor.DefaultPolicy()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func set[T comparable](field *T, value T) { *field = cmp.Or(*field, value) }
