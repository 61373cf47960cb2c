package committer

import (
	"context"
	"sync"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// looks are questions for topics that are under way. The claims of a topic that is deleted are refused in one answer,
// and look at the same moment: one question does for all of them. The zero value is ready; it is safe for concurrent use.
type looks struct {
	mu  sync.Mutex
	now map[string]*look
}

type look struct {
	done  chan struct{} // closed when the answer is there
	topic conn.Topic
	err   error
}

// at answers what the metadata says of a topic, asked for now or by somebody whose question is under way. The first one
// asks, for the others too: if its ctx ends, they get that error.
func (l *looks) at(ctx context.Context, topics Topics, name string) (conn.Topic, error) {
	l.mu.Lock()
	one, asked := l.now[name]
	if !asked {
		one = &look{done: make(chan struct{})}
		if l.now == nil {
			l.now = map[string]*look{}
		}
		l.now[name] = one
	}
	l.mu.Unlock()
	if asked {
		select {
		case <-one.done:
			return one.topic, one.err
		case <-ctx.Done():
			return conn.Topic{}, context.Cause(ctx)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookMost)
	m, err := topics.Topics(ctx, name)
	cancel()
	if one.err = err; err == nil {
		one.topic = m.Topics[name]
	}
	l.mu.Lock()
	delete(l.now, name)
	l.mu.Unlock()
	close(one.done)
	return one.topic, one.err
}
