package conformance

import (
	"context"
	"sync"
	"testing"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// member is one consumer under test, running.
type member struct {
	*consumer.Consumer

	t      testing.TB
	name   string
	drain  context.CancelFunc
	ended  chan struct{}
	result error         // of Run; read it after ended
	heard  chan struct{} // closed behind the last event

	mu     sync.Mutex
	events []messages.Event
}

// start makes a consumer and runs it. It is drained at the end of the test, if it still runs then.
func start(t testing.TB, name string, cfg consumer.Config) *member {
	t.Helper()
	c, err := consumer.New(cfg)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	ctx, drain := context.WithCancel(context.Background())
	m := &member{Consumer: c, t: t, name: name, drain: drain, ended: make(chan struct{}), heard: make(chan struct{})}
	events := c.Events(context.Background(), 10_000) // before Run: none is missed
	go func() {
		defer close(m.ended)
		m.result = c.Run(ctx)
	}()
	t.Cleanup(func() {
		drain()
		if !waits(patience, m.over) {
			stacks(t)
			t.Errorf("%s does not end", name)
		}
	})
	eventually(t, name+" runs", func() bool { return c.PID() != nil || m.over() })
	go func() { // ends with the consumer
		defer close(m.heard)
		for e := range events {
			m.mu.Lock()
			m.events = append(m.events, e)
			m.mu.Unlock()
		}
	}()
	return m
}

// over: Run has returned.
func (m *member) over() bool {
	select {
	case <-m.ended:
		return true
	default:
		return false
	}
}

// leave drains the member and waits for its end, which has to be a clean one.
func (m *member) leave() {
	m.t.Helper()
	m.drain()
	received(m.t, m.ended, m.name+" leaves")
	received(m.t, m.heard, m.name+"'s last event")
	if m.result != nil {
		m.t.Errorf("%s: Run answered %v after a clean drain", m.name, m.result)
	}
}

// status is the consumer's; an empty one when it does not run.
func (m *member) status() *messages.Status {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := m.Status(ctx)
	if err != nil {
		return &messages.Status{}
	}
	return s
}

// partitions are those of the claims that are in one of the states; in any without a list.
func (m *member) partitions(states ...messages.State) map[int32]messages.PartitionStatus {
	out := map[int32]messages.PartitionStatus{}
	for _, p := range m.status().Partitions {
		ok := len(states) == 0
		for _, s := range states {
			ok = ok || p.State == s
		}
		if ok {
			out[p.Claim.Partition] = p
		}
	}
	return out
}

// owns waits until the member has so many claims whose start is known.
func (m *member) owns(n int) {
	m.t.Helper()
	eventually(m.t, m.name+" owns its share", func() bool {
		return len(m.partitions(messages.StateIdle, messages.StateBusy, messages.StateHolding, messages.StateParked, messages.StatePaused,
			messages.StateStuck)) == n
	})
}

// told are the events of one kind so far.
func told[E messages.Event](m *member) []E {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []E
	for _, e := range m.events {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// gate holds handlers back until it is opened.
type gate struct {
	once sync.Once
	open chan struct{}
}

// newGate is shut. Defer its release: what it holds back would hold back the end of the members.
func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }
