package conn

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Settings of a [Cluster].
type Settings struct {
	// Seeds are the brokers to begin with, host:port each. They are never forgotten.
	Seeds []string
	// Dial makes a connection without blocking: [Dialer.Dial], or a script.
	Dial func(addr string) Conn
	// Version decides which versions of requests are made; brokers that offer less get less.
	Version sarama.KafkaVersion
	// Hedge is how long a silent broker is waited for before another one is asked as well; 0 means 500 ms.
	Hedge time.Duration
}

// Cluster is what we know of the brokers as a whole. Its methods are safe for concurrent use.
type Cluster struct {
	settings Settings
	ctx      context.Context //nolint:containedctx // its end is the cluster's: questions in flight stop
	cancel   context.CancelFunc

	mu      sync.Mutex
	brokers []string            // seeds first, then those of the last metadata
	suspect map[string]struct{} // failed or were silent when last asked: asked last
	closed  bool
	asking  sync.WaitGroup
}

// NewCluster asks nobody yet.
func NewCluster(s Settings) *Cluster {
	if s.Hedge == 0 {
		s.Hedge = 500 * time.Millisecond
	}
	s.Seeds = slices.Clone(s.Seeds)
	c := &Cluster{settings: s, brokers: s.Seeds, suspect: map[string]struct{}{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Dial makes a connection to one broker; addr as [Cluster.Brokers] or [Metadata] has it.
func (c *Cluster) Dial(addr string) Conn { return c.settings.Dial(addr) }

// Version decides which versions of requests are made.
func (c *Cluster) Version() sarama.KafkaVersion { return c.settings.Version }

// Brokers are the addresses known by now.
func (c *Cluster) Brokers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.brokers)
}

// Close cuts the questions in flight and waits for their goroutines.
func (c *Cluster) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.asking.Wait()
}

// learn replaces the brokers of the last metadata.
func (c *Cluster) learn(addrs []string) {
	all := slices.Clone(c.settings.Seeds)
	for _, a := range addrs {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.brokers = all
	for a := range c.suspect {
		if !slices.Contains(all, a) {
			delete(c.suspect, a)
		}
	}
}

// order is whom to ask, one after the other: at random, so that no broker gets the questions of all clients,
// and those that failed the last time at the end.
func (c *Cluster) order() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Clone(c.brokers)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b string) int { return c.rank(a) - c.rank(b) })
	return all
}

func (c *Cluster) rank(addr string) int {
	if _, bad := c.suspect[addr]; bad {
		return 1
	}
	return 0
}

func (c *Cluster) note(addr string, good bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if good {
		delete(c.suspect, addr)
	} else {
		c.suspect[addr] = struct{}{}
	}
}
