package demo

import (
	"context"
	"fmt"
	"sync"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// Member runs a consumer in the background and follows its events.
type Member struct {
	*consumer.Consumer

	drain context.CancelFunc
	over  sync.WaitGroup
	err   error
}

// Join starts a member of the group; its events go to the tally, and to see if it is not nil.
func Join(cfg consumer.Config, tally *Tally, see func(messages.Event)) (*Member, error) {
	c, err := consumer.New(cfg)
	if err != nil {
		return nil, err
	}
	ctx, drain := context.WithCancel(context.Background())
	m := &Member{Consumer: c, drain: drain}
	follow, unfollow := context.WithCancel(context.Background())
	events := c.Events(follow, 4096) // before Run: none is missed
	m.over.Go(func() {
		m.err = c.Run(ctx)
		unfollow()
	})
	m.over.Go(func() {
		for e := range events {
			switch e := e.(type) {
			case *messages.Failed:
				tally.Decided(e.Decision)
			case *messages.ClaimAssigned:
				tally.Rebalanced(e.Claim.Generation)
			}
			if see != nil {
				see(e)
			}
		}
	})
	return m, nil
}

// Leave drains the member and waits for its end.
func (m *Member) Leave() error {
	m.drain()
	m.over.Wait()
	return m.err
}

// Await waits for an end that comes by itself.
func (m *Member) Await(ctx context.Context) error {
	over := make(chan struct{})
	go func() { // it ends with the member, which Leave waits for
		m.over.Wait()
		close(over)
	}()
	select {
	case <-over:
		return m.err
	case <-ctx.Done():
		return fmt.Errorf("it has not ended: %w", context.Cause(ctx))
	}
}
