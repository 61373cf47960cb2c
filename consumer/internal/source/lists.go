package source

import (
	"context"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
)

// lists asks brokers for offsets (ListOffsets). A thousand claims start at the same time and each wants to know its
// log's range: what comes while a request to a broker is under way waits for the next one, and goes in it together,
// over one connection that ends when nobody asks any more.
type lists struct {
	source *Source

	mu      sync.Mutex
	waiting map[string][]question // by the leader's address; an entry means that a goroutine serves it
}

// question is one partition's offset at a time.
type question struct {
	place place
	when  int64 // earliest, latest, or milliseconds since 1970
	plain bool  // without regard to open transactions, whatever the isolation
	reply chan<- reply
}

type reply struct {
	offset int64
	err    error
}

func newLists(s *Source) *lists { return &lists{source: s, waiting: map[string][]question{}} }

// ask waits for the answer to one question, or for the end of ctx or of the source.
func (l *lists) ask(ctx context.Context, addr string, q question) (int64, error) {
	replies := make(chan reply, 1)
	q.reply = replies
	if !l.enqueue(addr, q) {
		return 0, ErrStopped
	}
	select {
	case r := <-replies:
		return r.offset, r.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-l.source.ctx.Done():
		return 0, ErrStopped
	}
}

func (l *lists) enqueue(addr string, q question) bool {
	s := l.source
	s.mu.Lock() // Stop sets stopped under it, and waits for every goroutine that was started before
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	qs, served := l.waiting[addr]
	l.waiting[addr] = append(qs, q)
	if !served {
		s.wg.Go(func() { l.serve(addr) })
	}
	return true
}

// next takes what goes into one request: a request can name a partition once and has one isolation, so that a second
// question about it, and questions of the other kind, wait. Without any question it ends the service of that address,
// and reports false.
func (l *lists) next(addr string) ([]question, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	named := map[place]bool{}
	var now, later []question
	for _, q := range l.waiting[addr] {
		if named[q.place] || len(now) > 0 && q.plain != now[0].plain {
			later = append(later, q)
		} else {
			named[q.place] = true
			now = append(now, q)
		}
	}
	if len(now) == 0 {
		delete(l.waiting, addr)
		return nil, false
	}
	l.waiting[addr] = later
	return now, true
}

// serve is the goroutine that asks one broker, while anybody has a question for it.
func (l *lists) serve(addr string) {
	c := l.source.options.Cluster.Dial(addr)
	defer func() { c.Kill() }()
	for {
		qs, ok := l.next(addr)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(l.source.ctx, l.source.options.RequestTimeout)
		stop := context.AfterFunc(ctx, c.Kill)
		p, err := c.GetAvailableOffsets(l.request(qs))
		stop()
		cancel()
		for _, q := range qs {
			q.reply <- answer(addr, q, p, err)
		}
		if err != nil {
			c.Kill()
			c = l.source.options.Cluster.Dial(addr)
		}
	}
}

func (l *lists) request(qs []question) *sarama.OffsetRequest {
	o := &l.source.options
	r := sarama.NewOffsetRequest(o.Config.Version)
	if r.IsolationLevel = o.Isolation.level(); qs[0].plain {
		r.IsolationLevel = sarama.ReadUncommitted
	}
	for _, q := range qs {
		r.AddBlock(q.place.topic, q.place.partition, q.when, 1)
	}
	return r
}

func answer(addr string, q question, p *sarama.OffsetResponse, err error) reply {
	if err != nil {
		return reply{err: fmt.Errorf("broker %s: %w", addr, err)}
	}
	b := p.GetBlock(q.place.topic, q.place.partition)
	switch {
	case b == nil:
		return reply{err: fmt.Errorf("broker %s: %w", addr, sarama.ErrIncompleteResponse)}
	case b.Err != sarama.ErrNoError:
		return reply{err: fmt.Errorf("broker %s: %w", addr, b.Err)}
	default:
		return reply{offset: b.Offset}
	}
}
