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

// Member is one place in a group. It implements supervisor.Membership.
type Member struct {
	options  Options
	machine  *machine // the loop's
	clock    clock
	balance  *balance
	notices  notices
	claims   map[tp]messages.Claim // the loop's: what the machine owns
	watching atomic.Pointer[map[string]int]

	ctx    context.Context //nolint:containedctx // its end is the member's: requests in flight are cut
	cancel context.CancelFunc
	wg     sync.WaitGroup // the loop and every request

	mu      sync.Mutex
	queue   []event
	wake    chan struct{}
	started bool
	over    bool // nothing is queued any more

	done chan struct{} // closed when the loop has ended
	err  error         // why, before done is closed; nil for what was asked for
}

var _ supervisor.Membership = (*Member)(nil)

// sequences number the claims of the process. Actor names depend on it.
var sequences atomic.Uint64

// New makes a member that asks nobody before Start. From now on it gets the coordinator's reports.
func New(o Options) *Member {
	o = o.filled()
	m := &Member{
		options: o, machine: newMachine(o.rules()), clock: newClock(), balance: newBalance(o.Strategies),
		notices: notices{tell: o.Inbox.Notice}, claims: map[tp]messages.Claim{},
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	o.Coordinator.OnReport(func(id conn.Identity, err error) {
		m.post(told{member: id.Member, generation: id.Generation, err: err})
	})
	return m
}

// Start implements supervisor.Membership.
func (m *Member) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started || m.over {
		return
	}
	m.started = true
	m.wg.Go(m.loop)
	m.wg.Go(m.lookForTopics)
}

// Released implements supervisor.Membership.
func (m *Member) Released(claims []messages.Claim) {
	tps := make([]tp, len(claims))
	for i, c := range claims {
		tps[i] = tp{c.Topic, c.Partition}
	}
	m.post(released{tps})
}

// Leave implements supervisor.Membership.
func (m *Member) Leave(ctx context.Context) error {
	by := instant{} // never
	if deadline, ok := ctx.Deadline(); ok {
		by = m.clock.now().add(time.Until(deadline))
	}
	m.post(stop{by})
	select {
	case <-m.done:
		return m.err
	case <-ctx.Done():
		return fmt.Errorf("the leave was not answered in time: %w", context.Cause(ctx))
	}
}

// errClosed is what Leave answers when Close came first.
var errClosed = errors.New("ottla: the membership was closed without a leave")

// Close implements supervisor.Membership.
func (m *Member) Close() {
	m.post(cut{})
	m.mu.Lock()
	m.over = true
	started := m.started
	m.mu.Unlock()
	m.cancel()
	m.options.Coordinator.Move("")
	if started {
		<-m.done
	}
	m.wg.Wait()
}

// post queues an event. It never waits: it is called by the committer's goroutine, the supervisor's turn, and every
// request's.
func (m *Member) post(e event) {
	m.mu.Lock()
	if m.over {
		m.mu.Unlock()
		return
	}
	m.queue = append(m.queue, e)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// pending takes what is queued.
func (m *Member) pending() []event {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue
	m.queue = nil
	return q
}
