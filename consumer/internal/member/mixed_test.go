package member

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// foreign is a member of sarama's own ConsumerGroup.
type foreign struct {
	name string
	all  *ownership

	mu      sync.Mutex
	owned   map[tp]bool
	changed chan struct{}
}

func (f *foreign) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (f *foreign) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (f *foreign) note(p tp, owned bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if owned {
		f.owned[p] = true
		f.all.take(f.name, p)
	} else {
		delete(f.owned, p)
		f.all.drop(f.name, p)
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *foreign) ConsumeClaim(_ sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	f.note(tp{c.Topic(), c.Partition()}, true)
	for range c.Messages() {
	}
	f.note(tp{c.Topic(), c.Partition()}, false)
	return nil
}

func (f *foreign) await(t *testing.T, n int) {
	t.Helper()
	limit := time.After(longEnough)
	for {
		f.mu.Lock()
		have, changed := len(f.owned), f.changed
		f.mu.Unlock()
		if have == n {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("%s owns %d, want %d", f.name, have, n)
		}
	}
}

// consume joins with sarama's ConsumerGroup; leave ends it.
func consume(t *testing.T, brokers []string, all *ownership, strategy sarama.BalanceStrategy) (f *foreign, leave func()) {
	t.Helper()
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	c.Consumer.Group.Session.Timeout, c.Consumer.Group.Heartbeat.Interval = 6*time.Second, 50*time.Millisecond
	c.Consumer.Group.Rebalance.Timeout, c.Consumer.Group.Rebalance.Retry.Backoff = 6*time.Second, 50*time.Millisecond
	c.Consumer.MaxWaitTime = 50 * time.Millisecond // its heartbeats wait for its fetches
	g, err := sarama.NewConsumerGroup(brokers, "g", c)
	if err != nil {
		t.Fatal(err)
	}
	f = &foreign{name: "sarama", all: all, owned: map[tp]bool{}, changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			_ = g.Consume(ctx, []string{"t"}, f)
		}
	})
	leave = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		_ = g.Close()
	})
	t.Cleanup(leave)
	return f, leave
}

// A group of ours and sarama's members, by both protocols: whoever leads, nobody owns what another one does, and
// whoever stays has all of it.
func TestAMixedGroup(t *testing.T) {
	for name, x := range map[string]struct {
		theirs sarama.BalanceStrategy
		ours   func(*Options)
	}{
		"cooperative": {sarama.NewBalanceStrategyCooperativeSticky(), func(*Options) {}},
		"eager":       {sarama.NewBalanceStrategyRange(), func(o *Options) { o.Strategies = eager() }},
	} {
		t.Run(name, func(t *testing.T) {
			c, all := broker(t, 12, "t"), newOwnership(t)
			a := join(t, c, all, "a", x.ours) // leads
			a.await(t, "owns all", owns(12))
			s, leave := consume(t, c.ListenAddrs(), all, x.theirs)
			s.await(t, 6)
			b := join(t, c, all, "b", x.ours)
			b.await(t, "owns a third", owns(4))
			s.await(t, 4)
			a.leave(t) // another one leads now
			s.await(t, 6)
			b.await(t, "owns a half", owns(6))
			leave()
			b.await(t, "owns all", owns(12))
			if a.losses()+b.losses() > 0 {
				t.Errorf("lost %v %v", a.lost, b.lost)
			}
		})
	}
}
