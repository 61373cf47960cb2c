package consumer

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/committer"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/member"
	"github.com/ottla-go/ottla/consumer/internal/source"
	"github.com/ottla-go/ottla/supervisor"
)

// kafkaSettings adds the link to Kafka; c is valid and has its defaults.
func kafkaSettings(c Config) (supervisor.Settings, error) {
	set := settings(c)
	dialing, faults := c.saramaConfig()
	if len(faults) > 0 {
		return set, errors.Join(faults...)
	}
	saramaLines.to.Store(c.Logger)
	for _, w := range c.Warnings() {
		c.Logger.Warn(w)
	}
	if c.Strategy == nil {
		for line := range strings.Lines(c.Policy.Explain()) {
			c.Logger.Info("failure policy", slog.String("rule", strings.TrimSpace(line)))
		}
	}
	set.Connect = func(inbox supervisor.Inbox) (supervisor.Link, error) { return connect(c, dialing, inbox) }
	return set, nil
}

// connect makes the link of one incarnation of the supervisor. Nobody is asked yet.
func connect(c Config, dialing *sarama.Config, inbox supervisor.Inbox) (supervisor.Link, error) {
	dialer, err := conn.NewDialer(dialing)
	if err != nil {
		return supervisor.Link{}, fmt.Errorf("ottla: Config.Sarama: %w", err)
	}
	cluster := conn.NewCluster(conn.Settings{Seeds: c.Brokers, Dial: dialer.Dial, Version: dialing.Version})
	notices := &notices{Inbox: inbox}
	records, err := source.New(source.Options{
		Config: dialing, Cluster: cluster,
		MaxWait: c.Fetch.MaxWait, PartitionBytes: c.Fetch.PartitionBytes, MaxBytes: c.Fetch.MaxBytes, Connections: c.Fetch.Connections,
		Isolation: source.Isolation(c.Isolation), Notice: notices.ofSource, Logger: c.Logger,
	})
	if err != nil {
		return supervisor.Link{}, fmt.Errorf("ottla: Config.Fetch: %w", err)
	}
	coordinator := conn.NewCoordinator(dialer.Dial, c.InstanceID)
	commits := committer.New(committer.Settings{
		Group: c.Group, Coordinator: coordinator, Ranges: records, Topics: cluster, Inbox: inbox,
		Interval: c.Commit.Interval, Start: c.Offsets.Start, OutOfRange: c.Offsets.OutOfRange,
		Store: c.Offsets.Store, AlsoToKafka: c.Offsets.AlsoToKafka, Version: dialing.Version, Logger: c.Logger,
	})
	group := member.New(member.Options{
		Group: c.Group, InstanceID: c.InstanceID, Topics: c.Topics, Strategies: strategies(c.Balance),
		SessionTimeout: c.SessionTimeout, RebalanceTimeout: c.RebalanceTimeout, HeartbeatInterval: c.HeartbeatInterval,
		Cluster: cluster, Coordinator: coordinator,
		TLS: dialing.Net.TLS.Enable, Logger: c.Logger,
	}, commits.Fencing(notices))
	return supervisor.Link{Membership: group, Source: records, Committer: lastOne{commits, cluster, dialer}}, nil
}

// lastOne closes what the three share, after the last of them.
type lastOne struct {
	supervisor.Committer

	cluster *conn.Cluster
	dialer  *conn.Dialer
}

// Stop stops the committer, which is stopped last.
func (l lastOne) Stop() {
	l.Committer.Stop()
	l.cluster.Close()
	l.dialer.Close()
}
