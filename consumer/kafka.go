package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/committer"
	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/deadletter"
	"github.com/ottla-go/ottla/consumer/internal/member"
	"github.com/ottla-go/ottla/consumer/internal/source"
	"github.com/ottla-go/ottla/supervisor"
)

// kafkaSettings adds the link to Kafka; c is valid and has its defaults.
func kafkaSettings(c Config) (supervisor.Settings, error) {
	c.Logger = unfailing(c.Logger)
	set := settings(c)
	dialing, faults := c.saramaConfig()
	if len(faults) > 0 {
		return set, errors.Join(faults...)
	}
	saramaLines.to.Store(c.Logger)
	for _, w := range c.Warnings() {
		c.Logger.Warn(w)
	}
	c.explain()
	set.Connect = func(inbox supervisor.Inbox) (supervisor.Link, error) { return connect(c, dialing, inbox) }
	return set, nil
}

// explain tells the log what failures mean.
func (c Config) explain() {
	if c.Strategy != nil {
		return
	}
	for _, p := range c.policies() {
		log := c.Logger
		if p.topic != "" {
			log = log.With(slog.String("topic", p.topic))
		}
		for line := range strings.Lines(p.policy.Explain()) {
			log.Info("failure policy", slog.String("rule", strings.TrimSpace(line)))
		}
	}
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
		Group: c.Group, InstanceID: c.InstanceID, Topics: c.subscribed(), Strategies: strategies(c.Balance),
		SessionTimeout: c.SessionTimeout, RebalanceTimeout: c.RebalanceTimeout, HeartbeatInterval: c.HeartbeatInterval,
		Cluster: cluster, Coordinator: coordinator,
		TLS: dialing.Net.TLS.Enable, Logger: c.Logger,
	}, commits.Fencing(notices))
	letters := deadletter.NewWriter(c.Brokers, dialing)
	return supervisor.Link{
		Membership: c.deadLetterTopics(group, cluster, letters, notices), Source: records,
		Committer: lastOne{commits, letters, cluster, dialer}, DeadLetters: letters,
	}, nil
}

// deadLetterTopics puts the look whether the policies' topics are there before the membership.
func (c Config) deadLetterTopics(group supervisor.Membership, cluster *conn.Cluster, letters *deadletter.Writer, notices *notices) supervisor.Membership {
	topics := deadletter.Topics{Targets: c.targets(), Cluster: cluster, Notice: notices.ofDeadLetters}
	if c.DeadLetters != nil || len(topics.Targets) == 0 {
		return group
	}
	if c.CreateDeadLetterTopics {
		topics.Create = func(ctx context.Context, missing []string) error {
			return letters.Create(ctx, cluster, c.subscribed(), missing)
		}
	}
	return deadletter.NewGate(group, topics, notices)
}

// lastOne closes what they share, after the last of them.
type lastOne struct {
	supervisor.Committer

	letters *deadletter.Writer
	cluster *conn.Cluster
	dialer  *conn.Dialer
}

// Stop stops the committer, which is stopped last.
func (l lastOne) Stop() {
	l.Committer.Stop()
	l.letters.Close()
	l.cluster.Close()
	l.dialer.Close()
}
