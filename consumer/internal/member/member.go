package member

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/conn"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Member is a place in a consumer group. It implements supervisor.Membership.
type Member struct {
	options Options
	inbox   supervisor.Inbox
	clock   clock
	queue   *queue

	// ctx ends with the loop: requests in flight are cut.
	ctx    context.Context //nolint:containedctx // see above
	cancel context.CancelFunc
	work   sync.WaitGroup // requests in flight; only the loop adds
	done   chan struct{}  // closed when loop and requests have ended

	assignors *assignors
	wanted    atomic.Int64 // the join, plan or sync that the machine waits for

	mu      sync.Mutex
	started bool
	closed  bool

	loop // of the loop's goroutine alone
}

var _ supervisor.Membership = (*Member)(nil)

// New makes a member that does nothing before Start.
func New(o Options, inbox supervisor.Inbox) *Member {
	o = o.withDefaults()
	m := &Member{
		options: o, inbox: inbox, clock: newClock(), queue: newQueue(), done: make(chan struct{}),
		assignors: newAssignors(o.Strategies, o.Logger), loop: newLoop(o, inbox),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	o.Coordinator.OnReport(m.report)
	return m
}

// Start joins the group, in the background. It does nothing after Close.
func (m *Member) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started || m.closed {
		return
	}
	m.started = true
	m.queue.put(start{})
	go m.run()
}

// Released says that the claims were given up, after Revoked. Claims that are not to be given up, or not ours any
// more, are ignored.
func (m *Member) Released(list []messages.Claim) { m.queue.put(releasedClaims(list)) }

// Leave gives everything up, waits until it is released, and leaves the group: it asks until it is answered. A
// static member does not leave, unless LeaveStatic is set. At the end of ctx it ends as Close does, and the error
// says so; what is still owned is not told lost.
func (m *Member) Leave(ctx context.Context) error {
	if !m.running() {
		return nil
	}
	var by instant
	if d, ok := ctx.Deadline(); ok {
		by = m.clock.now().add(time.Until(d))
	}
	m.queue.put(stop{by})
	cause := errClosed
	select {
	case <-m.done:
	case <-ctx.Done():
		cause = fmt.Errorf("the group was not left in time: %w", context.Cause(ctx))
		m.queue.put(cut{})
		<-m.done
	}
	if m.result == nil && !m.left { // cut, by us or by Close
		return cause
	}
	return m.result
}

var errClosed = errors.New("the membership was closed without leaving the group")

// Close ends the membership as a crash would, and waits for its goroutines: what is owned is not told lost, and
// the group waits for the session timeout before it misses us.
func (m *Member) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	if m.running() {
		m.queue.put(cut{})
		<-m.done
	}
}

func (m *Member) running() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.started
}

// Identity is what requests must carry now. It is the coordinator's, whose Changed tells when it is another.
func (m *Member) Identity() conn.Identity { return m.options.Coordinator.Identity() }

// Rejoin starts a rebalance, as a change of the subscribed topics does. It does nothing while one is under way.
func (m *Member) Rejoin(reason string) { m.queue.put(rejoin{reason}) }

// report takes what a commit's answer says about the membership.
func (m *Member) report(id conn.Identity, err error) {
	m.queue.put(told{id.Member, id.Generation, err})
}
