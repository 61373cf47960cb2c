package membertest

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// API names a kind of request.
type API string

// The kinds of requests that the cluster answers.
const (
	Join      API = "JoinGroup"
	Sync      API = "SyncGroup"
	Heartbeat API = "Heartbeat"
	Leave     API = "LeaveGroup"
	Commit    API = "OffsetCommit"
	Offsets   API = "OffsetFetch"
	Find      API = "FindCoordinator"
	Metadata  API = "Metadata"
)

// Cluster is three brokers with one group. Its methods are safe for concurrent use and hold no lock over a wait.
type Cluster struct {
	mu          sync.Mutex
	brokers     []string
	coordinator string
	latency     time.Duration // one way
	topics      map[string]int
	silent      map[string]bool
	refusing    map[string]bool
	faults      map[API][]fault
	requests    map[API]int
	minSession  time.Duration
	idle        time.Duration // 0: connections are kept
	group       *group
	offsets     map[position]Offset
	onCommit    func(topic string, partition int32, o Offset)
}

// fault is what happens to the next request of its kind.
type fault struct {
	code sarama.KError // answered in the place of carrying it out
	lose bool          // carried out, and the answer lost with the connection
}

type position struct {
	topic     string
	partition int32
}

// Offset is a committed offset, with who committed it.
type Offset struct {
	Next       int64
	Metadata   string
	Member     string
	Generation int32
}

// New makes a cluster with these topics and their numbers of partitions. A request and its answer take a
// millisecond each.
func New(topics map[string]int) *Cluster {
	c := &Cluster{
		brokers: []string{"broker-0:9092", "broker-1:9092", "broker-2:9092"}, coordinator: "broker-0:9092",
		latency: time.Millisecond, topics: maps.Clone(topics), silent: map[string]bool{}, refusing: map[string]bool{},
		faults: map[API][]fault{}, requests: map[API]int{}, offsets: map[position]Offset{},
	}
	c.group = newGroup(&c.mu)
	return c
}

// Brokers are the addresses.
func (c *Cluster) Brokers() []string { return slices.Clone(c.brokers) }

// Dial makes a connection; it fits conn.Settings.Dial and conn.NewCoordinator.
func (c *Cluster) Dial(addr string) conn.Conn {
	return &link{c: c, addr: addr, dead: make(chan struct{})}
}

// SetTopic creates a topic, or changes its number of partitions; 0 deletes it.
func (c *Cluster) SetTopic(topic string, partitions int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.topics[topic] = partitions; partitions == 0 {
		delete(c.topics, topic)
	}
}

// Topic is a topic's number of partitions.
func (c *Cluster) Topic(topic string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.topics[topic]
}

// SetLatency is how long a request, and its answer, take one way.
func (c *Cluster) SetLatency(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latency = d
}

// SetMinSession refuses shorter session timeouts, as group.min.session.timeout.ms does.
func (c *Cluster) SetMinSession(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.minSession = d
}

// SetIdle makes brokers close connections that are idle for d, as connections.max.idle.ms does.
func (c *Cluster) SetIdle(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = d
}

// Silence makes a broker answer nothing, or answer again. Requests and answers on their way are lost; connections
// stay open. "" is all brokers.
func (c *Cluster) Silence(addr string, on bool) { c.set(c.silent, addr, on) }

// Refuse makes a broker refuse connections, or take them again; those that exist break at their next request. ""
// is all brokers.
func (c *Cluster) Refuse(addr string, on bool) { c.set(c.refusing, addr, on) }

func (c *Cluster) set(which map[string]bool, addr string, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.brokers {
		if addr == "" || addr == b {
			which[b] = on
		}
	}
}

// Coordinator is the broker that answers for the group.
func (c *Cluster) Coordinator() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.coordinator
}

// Move makes the next broker the group's coordinator. Joins and syncs that wait are answered NOT_COORDINATOR, as a broker
// does that resigns; the next one knows the last generation that got its assignment, and nothing of a rebalance that is
// under way.
func (c *Cluster) Move() {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.brokers, c.coordinator)
	c.coordinator = c.brokers[(i+1)%len(c.brokers)]
	c.group.resign()
}

// Fail answers the next requests of a kind with an error code, one for each code, and does not carry them out.
func (c *Cluster) Fail(api API, codes ...sarama.KError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range codes {
		c.faults[api] = append(c.faults[api], fault{code: k})
	}
}

// Mend takes back what Fail and Lose have left for these kinds of requests; without one, for all.
func (c *Cluster) Mend(apis ...API) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, api := range apis {
		delete(c.faults, api)
	}
	if len(apis) == 0 {
		clear(c.faults)
	}
}

// Lose carries the next request of a kind out, and breaks its connection in the place of an answer.
func (c *Cluster) Lose(api API) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[api] = append(c.faults[api], fault{lose: true})
}

// Requests counts the requests of a kind that have arrived.
func (c *Cluster) Requests(api API) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[api]
}

// OnCommit has f told of each commit that is carried out, before anybody else can see it. f must not call the cluster.
func (c *Cluster) OnCommit(f func(topic string, partition int32, o Offset)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onCommit = f
}

// Committed is a committed offset; ok is false where there is none.
func (c *Cluster) Committed(topic string, partition int32) (o Offset, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok = c.offsets[position{topic, partition}]
	return o, ok
}

// Members are the ids of the group's members, sorted.
func (c *Cluster) Members() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.group.members))
}

// Settled says that the group is stable with so many members, nobody is waited for, and no fault of Fail or Lose is in
// store.
func (c *Cluster) Settled(members int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.faults {
		if len(q) > 0 {
			return false
		}
	}
	return c.group.state == stable && len(c.group.members) == members && len(c.group.pending) == 0
}

// Leader is the member id of the group's leader; "" when there is none.
func (c *Cluster) Leader() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.group.leader
}

// Generation of the group.
func (c *Cluster) Generation() int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.group.generation
}

// String shows the group.
func (c *Cluster) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("group %v, generation %d, leader %q, members %v", c.group.state, c.group.generation, c.group.leader, slices.Sorted(maps.Keys(c.group.members)))
}
