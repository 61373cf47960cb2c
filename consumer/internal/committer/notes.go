package committer

import (
	"sync"

	"github.com/ottla-go/ottla/actors"
)

// Notes are what one claim has to commit: the newest note, and how far it has come. They know no clock, goroutine or
// I/O. Their methods are safe for concurrent use; Say is on the path of every record, and touches nothing else.
type Notes struct {
	mu      sync.Mutex
	note    actors.Progress // what Say said last
	said    uint64          // counts the notes
	sent    uint64          // the note in the last request that had this claim
	acked   uint64          // the last note that was acknowledged
	flying  bool            // sent is in the request in flight
	listed  bool            // the loop knows, or is being told, that there is something to send
	urgent  bool            // and that it is urgent
	hurried bool            // and that a flush waits for it
	fenced  bool            // lost: no request has it any more
	closed  bool
	gaveUp  bool     // a final CommitFailed was told
	waiters []waiter // in the order of their notes
}

type waiter struct {
	note  uint64
	done  func(error)
	flush bool
}

// Say takes a note. list: tell the loop. over: there is nothing to wait for, and done is to be called with err by
// somebody else than the caller, who may hold a lock that done takes; else it is called, if it is not nil, by whoever
// acknowledges the note, or closes the claim.
func (n *Notes) Say(p actors.Progress, urgent bool, done func(error)) (list, over bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false, true, ErrClosed
	}
	if p.Next != n.note.Next || !p.Equal(n.note) {
		n.note = p
		n.said++
	}
	switch {
	case n.acked == n.said:
		return false, true, nil
	case n.coming(), n.fenced: // the answer will do; Close will
	case !n.listed, urgent && !n.urgent:
		list = true
		n.listed, n.urgent = true, n.urgent || urgent
	}
	if done != nil {
		n.waiters = append(n.waiters, waiter{note: n.said, done: done})
	}
	return list, false, nil
}

// Flush has done called once the last note is acknowledged, or the claim closed; over: that is so already.
func (n *Notes) Flush(done func(error)) (list, over bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return false, true, ErrClosed
	case n.acked == n.said:
		return false, true, nil
	}
	n.waiters = append(n.waiters, waiter{n.said, done, true})
	if n.coming() || n.fenced {
		return false, false, nil
	}
	n.listed, n.urgent, n.hurried = true, true, true
	return true, false, nil
}

// Hurry has the newest note tried at once, for a flush that waits; false: there is nothing to try, or it is under way.
func (n *Notes) Hurry() (list bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.fenced || n.acked == n.said || n.coming() {
		return false
	}
	n.listed, n.urgent, n.hurried = true, true, true
	return true
}

// Fence: the claim is lost, and no request is built any more that has it.
func (n *Notes) Fence() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fenced = true
}

// Close ends it; again: it was closed before. dropped says that the newest note, of the position next, is not
// acknowledged and not on its way. The waiters are the caller's to tell.
func (n *Notes) Close() (waiters []waiter, next int64, dropped, again bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, 0, false, true
	}
	n.closed = true
	waiters, n.waiters = n.waiters, nil
	dropped = n.acked != n.said && !n.coming()
	n.gaveUp = dropped
	return waiters, n.note.Next, dropped, false
}

// coming says that the newest note is in the request in flight.
func (n *Notes) coming() bool { return n.flying && n.sent == n.said }

// heard is the loop's side of list. dirty: there is something that no request has taken yet; hurried: a flush has come
// since the last time.
func (n *Notes) heard() (dirty, urgent, hurried, closed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	hurried, n.hurried = n.hurried, false
	return n.listed, n.urgent, hurried, n.closed
}

// take gives the note that goes into the next request; false: the claim is lost or closed, or there is nothing to send.
func (n *Notes) take() (p actors.Progress, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listed, n.urgent = false, false
	if n.closed || n.fenced || n.acked == n.said {
		return p, false
	}
	n.sent, n.flying = n.said, true
	return n.note, true
}

// Acknowledged ends the flight with success. done are appended to calls; flush says that one of them is a Flush.
func (n *Notes) Acknowledged(calls []func(error)) (_ []func(error), flush bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.flying, n.acked = false, n.sent
	i := 0
	for i < len(n.waiters) && n.waiters[i].note <= n.acked {
		calls = append(calls, n.waiters[i].done)
		flush = flush || n.waiters[i].flush
		i++
	}
	left := copy(n.waiters, n.waiters[i:])
	clear(n.waiters[left:])
	n.waiters = n.waiters[:left]
	return calls, flush
}

// Refused ends the flight without success. closed: there will be no other try; tell: nobody has been told that yet.
func (n *Notes) Refused() (closed, tell bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.flying = false
	tell = n.closed && !n.gaveUp
	n.gaveUp = n.closed
	return n.closed, tell
}
