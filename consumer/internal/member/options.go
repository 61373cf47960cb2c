package member

import (
	"log/slog"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/supervisor"
)

// Options of a Member.
type Options struct {
	Group string
	// InstanceID makes a static member (KIP-345) when it is not empty.
	InstanceID string
	// LeaveStatic lets a static member leave for good when it stops. Without it the group keeps its place for a
	// session timeout.
	LeaveStatic bool
	Topics      []string
	// Strategies in order of preference. They keep state: a set for each Member. The member is cooperative if all of
	// them are (KIP-429: the protocol that every listed assignor supports).
	Strategies []sarama.BalanceStrategy

	SessionTimeout    time.Duration
	RebalanceTimeout  time.Duration
	HeartbeatInterval time.Duration
	// RequestTimeout is how long any answer but a join's or a sync's is waited for; 0 means 5 s, or a third of the
	// session timeout if that is less.
	RequestTimeout time.Duration
	// MetadataInterval is how often the leader looks whether the subscribed topics have changed; 0 means 10 s.
	MetadataInterval time.Duration
	// Backoff is the first pause before a retry; it doubles up to ten times this. 0 means 50 ms.
	Backoff time.Duration

	Cluster     *conn.Cluster
	Coordinator *conn.Coordinator
	Inbox       supervisor.Inbox
	Version     sarama.KafkaVersion
	TLS         bool         // for what errors say
	Logger      *slog.Logger // nil: none
}

func (o Options) filled() Options {
	if o.RequestTimeout == 0 {
		o.RequestTimeout = min(5*time.Second, o.SessionTimeout/3)
	}
	if o.MetadataInterval == 0 {
		o.MetadataInterval = 10 * time.Second
	}
	if o.Backoff == 0 {
		o.Backoff = 50 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) rules() rules {
	return rules{
		instance: o.InstanceID, leaveStatic: o.LeaveStatic, cooperative: cooperative(o.Strategies),
		session: o.SessionTimeout, rebalance: o.RebalanceTimeout, heartbeat: o.HeartbeatInterval, backoff: o.Backoff,
	}
}
