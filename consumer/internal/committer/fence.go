package committer

import (
	"github.com/ottla-go/ottla/messages"
	"github.com/ottla-go/ottla/supervisor"
)

// Fencing is an inbox for the member. It fences lost claims before it passes the loss on: from then on no request is
// built that has them.
//
// Close would do the same, but comes from the supervisor, when that has read its inbox, and the member does not wait for
// it. Say A owns partition 3 in generation 7, has handled up to 10, and its supervisor is held up, by a log handler that
// blocks for a minute:
//
//	A's member  is thrown out, or overdue: 3 is lost; the supervisor is told, and does not read it
//	A's member  joins again: generation 8, with other partitions
//	B           owns 3 in generation 8, handles 11 to 79, commits 80
//	A           the handler of 10 ends: commit 10; the claim is open still, the identity is generation 8
//	            and valid: accepted, the committed offset goes from 80 to 10
//
// The member tells a loss before it takes another identity. So with the fence, a request that has the claim was built
// under an identity of before the loss, which the broker refuses once another member owns the partition.
//
// A fence is all that is done at once. What waits for a commit is answered by Close, as ever: before that the supervisor
// has to see to it that the answer does not let the next record out.
func (c *Committer) Fencing(inbox supervisor.Inbox) supervisor.Inbox { return fencing{inbox, c} }

type fencing struct {
	supervisor.Inbox

	c *Committer
}

// Lost implements supervisor.Inbox.
func (f fencing) Lost(claims []messages.Claim, err error) {
	for _, mc := range claims {
		f.c.fence(mc)
	}
	f.Inbox.Lost(claims, err)
}

// fence remembers the loss by partition, because the supervisor may be so late that it has not opened the claim yet. A
// later claim of the partition has a greater number.
func (c *Committer) fence(mc messages.Claim) {
	at := place{mc.Topic, mc.Partition}
	c.mu.Lock()
	c.lost[at] = mc.Sequence
	k := c.open[at]
	c.mu.Unlock()
	if k != nil && k.claim.Sequence <= mc.Sequence {
		k.Fence()
	}
}
