package member

import (
	"log/slog"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// Options of a [Member]. They are taken as valid: package consumer checks what a user sets.
type Options struct {
	Group string
	// InstanceID makes a static member (KIP-345); it must be the instance of Coordinator.
	InstanceID string
	// LeaveStatic lets a static member leave the group when it stops. By default it stays in it for the session
	// timeout, so that its successor finds its place.
	LeaveStatic bool
	Topics      []string
	// Strategies, the preferred one first; they keep state, so they are this member's own. The default is
	// cooperative-sticky. The member is cooperative if all of them are.
	Strategies []sarama.BalanceStrategy

	SessionTimeout    time.Duration // 0 means 45 s
	RebalanceTimeout  time.Duration // 0 means 60 s
	HeartbeatInterval time.Duration // 0 means 3 s
	// RequestTimeout is the deadline of every request but joins and syncs, which wait for others; 0 means 5 s, or a third of
	// SessionTimeout where that is less.
	RequestTimeout time.Duration
	// MetadataInterval is how often the group's leader looks for new partitions; 0 means 10 s.
	MetadataInterval time.Duration
	// Backoff is the pause before the first retry; it doubles up to ten times this. 0 means 50 ms.
	Backoff time.Duration

	Cluster     *conn.Cluster
	Coordinator *conn.Coordinator
	// TLS says that connections are encrypted: errors are explained accordingly.
	TLS    bool
	Logger *slog.Logger // nil: none
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&o.SessionTimeout, 45*time.Second)
	set(&o.RebalanceTimeout, time.Minute)
	set(&o.HeartbeatInterval, 3*time.Second)
	set(&o.RequestTimeout, min(5*time.Second, o.SessionTimeout/3))
	set(&o.MetadataInterval, 10*time.Second)
	set(&o.Backoff, 50*time.Millisecond)
	if len(o.Strategies) == 0 {
		o.Strategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With(slog.String("group", o.Group))
	o.Topics = slices.Clone(o.Topics)
	return o
}

func (o *Options) rules() rules {
	return rules{
		instance: o.InstanceID, leaveStatic: o.LeaveStatic, cooperative: cooperative(o.Strategies),
		session: o.SessionTimeout, rebalance: o.RebalanceTimeout, heartbeat: o.HeartbeatInterval, backoff: o.Backoff,
	}
}

// cooperative as KIP-429 has it: a member keeps its partitions over a rebalance only if every strategy that the
// group might choose allows it. A list with an eager one is a step of a migration, and is eager.
func cooperative(list []sarama.BalanceStrategy) bool {
	for _, s := range list {
		p, ok := s.(sarama.RebalanceProtocolBalanceStrategy)
		if !ok || !slices.Contains(p.SupportedProtocols(), sarama.RebalanceProtocolCooperative) {
			return false
		}
	}
	return true
}
