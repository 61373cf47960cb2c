package consumer

import (
	"errors"
	"sync"

	"github.com/ottla-go/ottla/supervisor"
)

// notices joins what the member, the source and the look for dead letters' topics have to say, so that one of them, when its
// own trouble is over, does not clear another's.
type notices struct {
	supervisor.Inbox

	mu                          sync.Mutex
	member, source, deadLetters error
}

// Notice is the member's; it has the inbox to itself.
func (n *notices) Notice(err error) { n.set(&n.member, err) }

func (n *notices) ofSource(err error) { n.set(&n.source, err) }

func (n *notices) ofDeadLetters(err error) { n.set(&n.deadLetters, err) }

func (n *notices) set(slot *error, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*slot = err
	n.Inbox.Notice(errors.Join(n.member, n.source, n.deadLetters)) // only posts; under the lock, so that the last word is the newest
}
