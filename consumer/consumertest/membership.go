package consumertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// membership is a place in a group that exists in the script only. What a test assigns, revokes and loses goes
// through here; it faults a supervisor that breaks the contract.
type membership struct {
	k     *Kit
	inbox supervisor.Inbox

	mu      sync.Mutex
	begun   bool
	left    bool
	closed  bool
	out     bool                      // something was lost since the last assignment
	owned   map[uint64]messages.Claim // assigned, and neither released nor lost
	revoked map[uint64]bool           // told, of those
	known   map[uint64]bool           // ever assigned
	change  chan struct{}             // closed and made anew whenever owned changes
	quit    chan struct{}             // closed with Close
}

var _ supervisor.Membership = (*membership)(nil)

func newMembership(k *Kit, inbox supervisor.Inbox) *membership {
	return &membership{
		k: k, inbox: inbox, change: make(chan struct{}), quit: make(chan struct{}),
		owned: map[uint64]messages.Claim{}, revoked: map[uint64]bool{}, known: map[uint64]bool{},
	}
}

// Start implements supervisor.Membership.
func (m *membership) Start() {
	m.mu.Lock()
	again := m.begun
	m.begun = true
	m.mu.Unlock()
	if again {
		m.k.fault("Membership.Start a second time")
	}
	m.inbox.Joined(memberName, 1)
}

const memberName = "consumertest"

// assign tells the supervisor of a claim; false: there is no member, not yet or not any more.
func (m *membership) assign(c messages.Claim) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.begun || m.left || m.closed {
		return false
	}
	if m.out { // after a loss it has to join anew
		m.out = false
		m.inbox.Joined(memberName, 1)
	}
	m.owned[c.Sequence], m.known[c.Sequence] = c, true
	m.inbox.Assigned([]messages.Claim{c})
	return true
}

// revoke tells the supervisor, unless the claim has ended.
func (m *membership) revoke(c messages.Claim, deadline time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.owned[c.Sequence]; ok {
		m.revoked[c.Sequence] = true
		m.inbox.Revoked([]messages.Claim{c}, deadline)
	}
}

// lose tells the supervisor and forgets the claims.
func (m *membership) lose(err error, claims ...messages.Claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lost []messages.Claim
	for _, c := range claims {
		if _, ok := m.owned[c.Sequence]; ok {
			lost = append(lost, c)
			delete(m.owned, c.Sequence)
		}
	}
	if len(lost) > 0 {
		m.out = true
		m.inbox.Lost(lost, err)
		m.changed()
	}
}

// expel ends the membership for good.
func (m *membership) expel(err error) {
	m.lose(err, m.all()...)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.left && !m.closed {
		m.inbox.Ended(err)
	}
}

func (m *membership) all() []messages.Claim {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.owned))
}

func (m *membership) owns(c messages.Claim) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.owned[c.Sequence]
	return ok
}

// changed needs the lock.
func (m *membership) changed() {
	close(m.change)
	m.change = make(chan struct{})
}

// Released implements supervisor.Membership. During a drain the supervisor gives claims up by itself, so that a release
// may come before Leave has told Revoked, and is then told once more.
func (m *membership) Released(claims []messages.Claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range claims {
		if !m.known[c.Sequence] {
			m.k.fault("Membership.Released(%v), which was never assigned", c)
		}
		delete(m.owned, c.Sequence)
		m.k.released(c)
	}
	m.changed()
}

// Leave implements supervisor.Membership.
func (m *membership) Leave(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	m.mu.Lock()
	if m.left {
		m.k.fault("Membership.Leave a second time")
	}
	m.left = true
	m.mu.Unlock()
	for _, c := range m.all() {
		m.mu.Lock()
		told := m.revoked[c.Sequence]
		m.mu.Unlock()
		if !told {
			m.revoke(c, deadline)
		}
	}
	for {
		m.mu.Lock()
		change, n := m.change, len(m.owned)
		m.mu.Unlock()
		if n == 0 {
			break
		}
		select {
		case <-change:
		case <-m.quit:
			return errQuit
		case <-ctx.Done():
			return fmt.Errorf("%d claims were not released: %w", n, context.Cause(ctx))
		}
	}
	takes, err := m.k.leaving()
	select {
	case <-time.After(takes):
		return err
	case <-m.quit:
		return errQuit
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close implements supervisor.Membership.
func (m *membership) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.quit)
	}
}

// errQuit is what a leave answers that Close has cut short.
var errQuit = errors.New("consumertest: the membership was closed")
