package consumertest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ottla-go/ottla/actors"
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// errClosed is what a commit is answered with whose claim was closed before.
var errClosed = errors.New("consumertest: the claim was closed before the offset was committed")

// committer keeps the offsets of claims in the script's logs.
type committer struct {
	k     *Kit
	inbox supervisor.Inbox
	work  sync.WaitGroup

	mu      sync.Mutex
	open    []*commits
	stopped bool
}

var _ supervisor.Committer = (*committer)(nil)

// Claim implements supervisor.Committer.
func (c *committer) Claim(claim messages.Claim) supervisor.Commits {
	s := &commits{c: c, claim: claim, log: c.k.log(placeOf(claim)), note: actors.Progress{Next: -1}, over: make(chan struct{})}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	c.mu.Lock()
	c.open = append(c.open, s)
	stopped := c.stopped
	c.mu.Unlock()
	if stopped {
		s.Close()
	}
	return s
}

// Stop implements supervisor.Committer.
func (c *committer) Stop() {
	c.mu.Lock()
	open := c.open
	c.open, c.stopped = nil, true
	c.mu.Unlock()
	for _, s := range open {
		s.Close()
	}
	c.work.Wait()
}

// commits are those of one claim: one request in flight at a time, and the newest note goes into the next one.
type commits struct {
	c     *committer
	claim messages.Claim
	log   *partitionLog
	ctx   context.Context // ends with the claim
	end   context.CancelCauseFunc

	mu      sync.Mutex
	note    actors.Progress
	said    uint64
	acked   uint64
	sending bool
	closed  bool
	waiters []waiter
	fence   int64
	gone    error         // a *supervisor.GoneError that a commit has failed with
	over    chan struct{} // closed with it
}

type waiter struct {
	note uint64
	done func(error)
}

var _ supervisor.Commits = (*commits)(nil)

// Commit implements supervisor.Commits. Its caller holds a lock that done takes.
func (s *commits) Commit(p actors.Progress, _ bool, done func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.later(done, errClosed)
		return
	}
	if !p.Equal(s.note) {
		s.note = p
		s.said++
	}
	if s.acked == s.said {
		s.later(done, nil)
		return
	}
	if done != nil {
		s.waiters = append(s.waiters, waiter{s.said, done})
	}
	s.send()
}

func (s *commits) later(done func(error), err error) {
	if done != nil {
		s.c.work.Go(func() { done(err) })
	}
}

// send needs the lock.
func (s *commits) send() {
	if !s.sending {
		s.sending = true
		s.c.work.Go(s.run)
	}
}

// run sends until everything is acknowledged, or the claim is closed.
func (s *commits) run() {
	for failures := 0; ; {
		s.mu.Lock()
		if s.closed || s.acked == s.said {
			s.sending = false
			s.mu.Unlock()
			return
		}
		p, n := s.note, s.said
		s.mu.Unlock()
		takes, err := s.c.k.committing()
		if !s.pause(takes) {
			continue
		}
		if err != nil {
			s.c.inbox.CommitFailed(s.claim, p.Next, err, false)
			s.heard(err)
			s.pause(min(time.Second, 100*time.Millisecond<<min(failures, 4)))
			failures++
			continue
		}
		failures = 0
		meta, without := s.log.commit(p)
		if without {
			s.c.k.fault("what is finished beyond %v@%d takes %d bytes and does not fit into the commit", s.log.place, p.Next, len(p.Finished))
		}
		s.c.k.noteCommit(s.claim, p, meta)
		s.acknowledge(n)
		s.c.inbox.Committed(s.claim, p.Next)
	}
}

// heard ends a flush where the partition was deleted.
func (s *commits) heard(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone == nil && errors.As(err, new(*supervisor.GoneError)) {
		s.gone = err
		close(s.over)
	}
}

// pause answers false when the claim has been closed.
func (s *commits) pause(d time.Duration) bool {
	if d <= 0 {
		return s.ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-s.ctx.Done():
		return false
	}
}

func (s *commits) acknowledge(n uint64) {
	s.mu.Lock()
	s.acked = n
	var told []waiter
	for len(s.waiters) > 0 && s.waiters[0].note <= n {
		told = append(told, s.waiters[0])
		s.waiters = s.waiters[1:]
	}
	s.mu.Unlock()
	for _, w := range told {
		w.done(nil)
	}
}

// Flush implements supervisor.Commits.
func (s *commits) Flush(ctx context.Context) error {
	answer := make(chan error, 1)
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return errClosed
	case s.acked == s.said:
		s.mu.Unlock()
		return nil
	}
	s.waiters = append(s.waiters, waiter{s.said, func(err error) { answer <- err }})
	s.send()
	s.mu.Unlock()
	select {
	case err := <-answer:
		return err
	case <-s.over:
		return s.gone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close implements supervisor.Commits.
func (s *commits) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	waiters, dropped, next, why := s.waiters, s.acked != s.said, s.note.Next, s.gone
	if why == nil {
		why = errClosed
	}
	s.waiters = nil
	s.mu.Unlock()
	s.end(errClosed)
	if dropped {
		s.c.inbox.CommitFailed(s.claim, next, why, true)
	}
	for _, w := range waiters {
		w.done(errClosed)
	}
}
