package committer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/consumer/internal/offsets"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Settings of a Committer.
type Settings struct {
	Group string
	// Coordinator is the member's place in front of its group's coordinator; the committer alone uses its
	// conn.Offsets link.
	Coordinator *conn.Coordinator
	// Ranges knows the partitions' logs: the source.
	Ranges Ranges
	// Topics knows how many partitions a topic has: the cluster.
	Topics Topics
	Inbox  supervisor.Inbox

	// Interval is the least time between two requests while nothing is urgent; 0 means 20 ms.
	Interval time.Duration
	// Timeout is how long an answer is waited for; 0 means 10 s. A coordinator may rightly take
	// offsets.commit.timeout.ms, 5 s by default.
	Timeout time.Duration
	// Start applies where nothing is committed, or the store knows nothing; the zero value is Earliest.
	Start offsets.Choice
	// OutOfRange applies where the log does not hold the offset; the zero value is Fail.
	OutOfRange offsets.Choice
	// Store keeps the offsets; nil: Kafka does.
	Store offsets.Store
	// AlsoToKafka commits with a Store, too: as a report of progress, which nothing is read from.
	AlsoToKafka bool
	// Version decides which versions of requests are made; brokers that offer less get less. The zero value is
	// sarama's default.
	Version sarama.KafkaVersion
	Logger  *slog.Logger // nil: none
}

// Committer commits the offsets of claims, and finds where claims begin. It implements supervisor.Committer.
type Committer struct {
	set   Settings
	inbox supervisor.Inbox

	// ctx ends with Stop: requests in flight are cut, and no claim outlives it.
	ctx    context.Context //nolint:containedctx // see above
	cancel context.CancelFunc
	done   chan struct{} // closed when the loop has ended
	poke   chan struct{} // the loop has something to look at

	mu      sync.Mutex
	open    map[place]*claim
	lost    map[place]uint64 // the number of the last claim that was lost
	listed  []*claim         // for the loop: dirty, urgent or closed
	calls   []call           // for the loop: done functions that their caller must not be called back from
	reads   []*read          // for the loop: committed offsets that somebody waits for
	stopped bool             // no claim opens any more
	ended   bool             // the loop looks no more

	looks looks

	loop // of the loop's goroutine alone
}

var _ supervisor.Committer = (*Committer)(nil)

// place is what a request names. It can name it once.
type place struct {
	topic     string
	partition int32
}

type call struct {
	done func(error)
	err  error
}

// New starts the committer's one goroutine, which Stop ends.
func New(s Settings) *Committer {
	if s.Interval == 0 {
		s.Interval = 20 * time.Millisecond
	}
	if s.Timeout == 0 {
		s.Timeout = 10 * time.Second
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Version == (sarama.KafkaVersion{}) {
		s.Version = sarama.DefaultVersion
	}
	s.Start, s.OutOfRange = s.Start.Or(offsets.Earliest), s.OutOfRange.Or(offsets.Fail)
	c := &Committer{
		set: s, inbox: s.Inbox,
		done: make(chan struct{}), poke: make(chan struct{}, 1),
		open: map[place]*claim{}, lost: map[place]uint64{}, loop: newLoop(s.Interval),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	go c.run()
	return c
}

// Claim implements supervisor.Committer. A claim that is still open on the same partition is closed: the newer one
// says that it has ended, and a request cannot name a partition twice. After Stop the claim is closed from the
// beginning.
func (c *Committer) Claim(mc messages.Claim) supervisor.Commits {
	k := &claim{c: c, claim: mc, denied: make(chan struct{}, 1)}
	k.note.Next = -1
	k.ctx, k.cancel = context.WithCancelCause(c.ctx)
	at := place{mc.Topic, mc.Partition}
	c.mu.Lock()
	old, stopped := c.open[at], c.stopped
	last, lost := c.lost[at]
	k.fenced = lost && mc.Sequence <= last
	if !stopped {
		c.open[at] = k
	}
	c.mu.Unlock()
	if old != nil {
		old.Close()
	}
	if stopped {
		k.Close()
	}
	return k
}

// Stop implements supervisor.Committer: requests in flight are cut, all claims are closed.
func (c *Committer) Stop() {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	c.cancel()
	<-c.done
	c.mu.Lock()
	open := make([]*claim, 0, len(c.open))
	for _, k := range c.open {
		open = append(open, k)
	}
	c.mu.Unlock()
	for _, k := range open {
		k.Close()
	}
}

// storeAlone says that nothing is committed to Kafka.
func (c *Committer) storeAlone() bool { return c.set.Store != nil && !c.set.AlsoToKafka }

// list tells the loop to look at k.
func (c *Committer) list(k *claim) {
	c.mu.Lock()
	c.listed = append(c.listed, k)
	c.mu.Unlock()
	c.wakeUp()
}

// later has done called by the loop, not by the caller.
func (c *Committer) later(done func(error), err error) {
	if done == nil {
		return
	}
	c.mu.Lock()
	ended := c.ended
	if !ended {
		c.calls = append(c.calls, call{done, err})
	}
	c.mu.Unlock()
	if ended {
		go done(err) // nobody is left to do it, and the caller may hold a lock that done takes
		return
	}
	c.wakeUp()
}

func (c *Committer) forget(k *claim) {
	at := place{k.claim.Topic, k.claim.Partition}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[at] == k {
		delete(c.open, at)
	}
}

func (c *Committer) wakeUp() {
	select {
	case c.poke <- struct{}{}:
	default: // it has been poked and has not looked yet
	}
}
