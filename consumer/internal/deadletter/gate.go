package deadletter

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ottla-go/ottla/supervisor"
)

// Gate is a membership that joins when the topics are there.
type Gate struct {
	supervisor.Membership

	topics Topics
	inbox  supervisor.Inbox
	ctx    context.Context //nolint:containedctx // it ends with the membership
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	started bool // the membership is
	over    bool // it will not be any more
}

// NewGate puts the look at the topics before the membership's start.
func NewGate(m supervisor.Membership, topics Topics, inbox supervisor.Inbox) *Gate {
	g := &Gate{Membership: m, topics: topics, inbox: inbox}
	g.topics.Targets = slices.Clone(topics.Targets)
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// Start implements supervisor.Membership.
func (g *Gate) Start() { g.done.Go(g.wait) }

// pause is between two looks.
const pause = time.Second

func (g *Gate) wait() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-g.ctx.Done():
			return
		}
		again, err := g.topics.check(g.ctx)
		switch {
		case g.ctx.Err() != nil:
			return
		case again:
			g.topics.Notice(err)
			timer.Reset(pause)
			continue
		case err != nil:
			g.mu.Lock()
			first := !g.over
			g.over = true
			g.mu.Unlock()
			if first {
				g.inbox.Ended(err)
			}
			return
		}
		g.topics.Notice(nil)
		g.begin()
		return
	}
}

func (g *Gate) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.over {
		g.started = true
		g.Membership.Start() // does not block
	}
}

// Leave implements supervisor.Membership. A group that was not joined need not be left.
func (g *Gate) Leave(ctx context.Context) error {
	if g.begun() {
		return g.Membership.Leave(ctx)
	}
	return nil
}

// begun says whether the membership was started; if not, it never is from here on.
func (g *Gate) begun() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	return g.started
}

// Close implements supervisor.Membership.
func (g *Gate) Close() {
	g.begun()
	g.cancel()
	g.done.Wait()
	g.Membership.Close()
}
