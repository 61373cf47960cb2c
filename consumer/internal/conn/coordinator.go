package conn

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrNoCoordinator is the answer of [Call] while the group's coordinator is not known: the member looks for it.
// Wait for [Coordinator.Changed].
var ErrNoCoordinator = errors.New("the group's coordinator is not known yet")

// Link is one of the three connections to the coordinator.
type Link int

// The links. Each is used by one goroutine at a time: a request that waits behind another one may run out of
// its deadline and cut both.
const (
	Joins      Link = iota // JoinGroup and SyncGroup: they wait for other members
	Heartbeats             // Heartbeat and LeaveGroup
	Offsets                // OffsetCommit and OffsetFetch
	links
)

// idle is how long a connection may be unused before its breaking at the next request is nothing to speak of. Brokers
// close what is idle for connections.max.idle.ms, 10 minutes by default, and whatever is between us and them may do so
// sooner; a join is not sent for days in a group that is stable.
const idle = 20 * time.Second

// kept is a connection with the time when it last carried an answer.
type kept struct {
	conn Conn // nil: none
	used time.Time
}

// Coordinator is a member's place in front of its group's coordinator. Its methods are safe for concurrent use
// and do not block.
type Coordinator struct {
	dial func(addr string) Conn

	mu       sync.Mutex
	addr     string
	conns    [links]kept
	identity Identity
	changed  chan struct{}
	reports  func(Identity, error)
}

// NewCoordinator knows no coordinator and has no identity but the instance id, which is "" for a dynamic
// member. dial makes a connection without blocking: [Dialer.Dial], or a script.
func NewCoordinator(dial func(addr string) Conn, instance string) *Coordinator {
	return &Coordinator{
		dial: dial, identity: Identity{Generation: -1, Instance: instance},
		changed: make(chan struct{}), reports: func(Identity, error) {},
	}
}

// Addr is the coordinator's address; "" while none is known.
func (c *Coordinator) Addr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addr
}

// Move drops all connections, with the requests in flight, and uses addr from now on; "" says that no
// coordinator is known. It is the member's to call.
func (c *Coordinator) Move(addr string) {
	c.mu.Lock()
	c.addr = addr
	c.identity.epoch++
	old := c.conns
	c.conns = [links]kept{}
	c.notify()
	c.mu.Unlock()
	for _, k := range old {
		if k.conn != nil {
			k.conn.Kill()
		}
	}
}

// Identity is who we are now.
func (c *Coordinator) Identity() Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity
}

// Changed is closed when identity or coordinator change the next time. Take it before you read what you
// then wait to see changed.
func (c *Coordinator) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Become sets the identity. It is the member's to call.
func (c *Coordinator) Become(member string, generation int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.identity.Member != member || c.identity.Generation != generation {
		c.identity.Member, c.identity.Generation = member, generation
		c.notify()
	}
}

func (c *Coordinator) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Report tells the member what the answer to a request, sent with id, says about the membership:
// NOT_COORDINATOR, UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID; other errors are ignored. So is
// a report about a coordinator or an identity that is not the one of now. What follows shows in Identity:
// wait for Changed.
func (c *Coordinator) Report(id Identity, err error) {
	c.mu.Lock()
	tell := c.reports
	current := c.identity == id
	c.mu.Unlock()
	if current {
		tell(id, err)
	}
}

// OnReport sets who gets the reports: the member. It is called before anything can report.
func (c *Coordinator) OnReport(f func(Identity, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports = f
}

// Call makes one request over one of the coordinator's connections, which is made when there is none. The end
// of ctx cuts the connection; so does any error that f returns, as it must be the connection's: errors in
// answers belong into T.
//
// A connection that was idle for long and breaks is no error: f runs once more, on a fresh one. So what f sends must be
// a request that may arrive twice, as all of the group's may: the broker knows member and generation in each.
func Call[T any](ctx context.Context, c *Coordinator, l Link, f func(Conn) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, context.Cause(ctx)
	}
	for {
		addr, cn, rested := c.take(l)
		if cn == nil {
			return none, ErrNoCoordinator
		}
		v, intact, err := send(ctx, cn, addr, f)
		current := c.put(l, cn, intact)
		if err == nil || !rested || !current || ctx.Err() != nil {
			return v, err
		}
	}
}

// take answers the link's connection, which is made when there is none; rested: it was there, and idle.
func (c *Coordinator) take(l Link) (addr string, cn Conn, rested bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &c.conns[l]
	switch {
	case c.addr == "":
		return "", nil, false
	case k.conn == nil:
		*k = kept{c.dial(c.addr), time.Now()}
	default:
		rested = time.Since(k.used) >= idle
	}
	return c.addr, k.conn, rested
}

// put keeps the connection, or drops it where it is not intact. False: it was dropped meanwhile, because the coordinator
// has moved.
func (c *Coordinator) put(l Link, cn Conn, intact bool) (current bool) {
	if !intact {
		cn.Kill()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &c.conns[l]
	if k.conn != cn {
		return false
	}
	if k.used = time.Now(); !intact {
		*k = kept{}
	}
	return true
}
