package consumer

import (
	"fmt"
	"slices"
	"time"
)

// advised is above the time for which a cluster misses a broker that died (broker.session.timeout.ms,
// 9 s), and leaves some to find the next coordinator.
const advised = 15 * time.Second

// Warnings are what will work and yet should be known: they go to the log when the consumer is made. Among them are
// the variables that [ConfigFromEnv] found set and that have no effect.
func (c Config) Warnings() []string {
	full := c.WithDefaults()
	list := slices.Clone(c.warnings)
	warn := func(format string, args ...any) { list = append(list, fmt.Sprintf("ottla: Config."+format, args...)) }
	for _, unused := range c.unused() {
		warn("%s: no topic uses it, because each has its own in PerTopic: remove it, or add a topic to Topics", unused)
	}
	short := func(field string, d time.Duration) {
		if d > 0 && d < advised {
			warn("%s = %v: below %v: a broker that dies is missed for 9 s by its cluster, and a group may lose its members together with its coordinator: use %v or more", field, d, advised, advised)
		}
	}
	short("SessionTimeout", full.SessionTimeout)
	short("RebalanceTimeout", full.RebalanceTimeout)
	if b, p := full.Backlog.Bytes, full.Fetch.PartitionBytes; b > 0 && b < p {
		warn("Backlog.Bytes = %d: below Fetch.PartitionBytes, which is %d: each fetch fills it, and the partition waits for every one: raise it to a few fetches", b, p)
	}
	before, dials, _ := c.dialing()
	if secret := inClear(dials); secret != "" {
		list = append(list, fmt.Sprintf("ottla: %s = %q: %s crosses the network in clear: set TLS", c.saslField(), dials.Net.SASL.Mechanism, secret))
	}
	for _, change := range idleChanges(before, dials) {
		list = append(list, "ottla: Config.Sarama "+change)
	}
	return list
}

// saslField is where the mechanism was set.
func (c Config) saslField() string {
	if c.SASL.on() {
		return "Config.SASL.Mechanism"
	}
	return "Config.Sarama: Net.SASL.Mechanism"
}
