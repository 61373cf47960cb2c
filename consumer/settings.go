package consumer

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
	"github.com/ottla-go/ottla/consumer/internal/wire"
	"github.com/ottla-go/ottla/supervisor"
)

func init() { //nolint:gochecknoinits // the test kit needs it, and cannot be imported from here
	wire.Settings = func(config any, relaxed bool) (supervisor.Settings, error) {
		c, ok := config.(Config)
		if !ok {
			return supervisor.Settings{}, fmt.Errorf("ottla: %T is not a consumer.Config", config)
		}
		anything := false
		if relaxed { // a test kit's script needs none of them
			c.Group = cmp.Or(c.Group, "test")
			if len(c.Brokers) == 0 {
				c.Brokers = []string{"127.0.0.1:9092"}
			}
			// Any topic can be assigned, unless none but those of PerTopic have a handler.
			if len(c.Topics) == 0 && (len(c.PerTopic) == 0 || c.Handler != nil || c.Actor != nil) {
				c.Topics, anything = append([]string{"any"}, c.Policy.Topics()...), true
			}
		}
		if err := c.Validate(); err != nil {
			return supervisor.Settings{}, err
		}
		set := settings(c.WithDefaults())
		if anything {
			set.Topics = nil
		}
		return set, nil
	}
}

// settings are the supervisor's; c is valid and has its defaults.
func settings(c Config) supervisor.Settings {
	each := make(map[string]*supervisor.Handling, len(c.PerTopic))
	for name := range c.PerTopic {
		h := c.topic(name).handling()
		each[name] = &h
	}
	rest := c.topic("") // no topic has this name
	return supervisor.Settings{
		Group:    c.Group,
		Topics:   c.subscribed(),
		Handling: rest.handling(), PerTopic: each,
		Strategy: c.Strategy, DeadLetters: c.DeadLetters,
		Records: c.Backlog.Records, Bytes: c.Backlog.Bytes, TotalBytes: c.Backlog.TotalBytes,
		ShedAfter:    c.Backlog.ShedAfter,
		Gaps:         metadata.FinishedMost,
		Each:         c.Commit.Mode == CommitEach,
		Store:        c.Offsets.Store != nil,
		StoreAlone:   c.Offsets.Store != nil && !c.Offsets.AlsoToKafka,
		DrainTimeout: c.DrainTimeout,
		Reserve:      reserve(c.HeartbeatInterval, c.RebalanceTimeout),
		Logger:       unfailing(c.Logger), LogContents: c.LogContents,
		Random: rand.Float64,
	}
}

// handling is the supervisor's; t has all that it inherits.
func (t Topic) handling() supervisor.Handling {
	return supervisor.Handling{
		Handler: t.Handler, Producer: t.Actor,
		Hooks:          actors.Hooks{Assigned: t.Hooks.Assigned, Revoked: t.Hooks.Revoked, Lost: t.Hooks.Lost},
		HandlerTimeout: t.HandlerTimeout, StuckAfter: t.StuckAfter,
		Policy: t.Policy, Rate: t.Limit.rate(),
	}
}

// reserve is what a revocation keeps back of the rebalance timeout, for cancelling handlers and the last commit:
// the time until every member has heard of the rebalance and then some, but never more than half.
func reserve(heartbeat, rebalance time.Duration) time.Duration {
	return min(heartbeat+5*time.Second, rebalance/2)
}
