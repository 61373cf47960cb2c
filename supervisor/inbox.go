package supervisor

import (
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// told is everything that reaches the supervisor from its own goroutines and seams. What was meant for an older
// incarnation is dropped.
type told struct {
	epoch uint64
	do    func()
}

// inbox posts to the supervisor. It implements Inbox.
type inbox struct {
	s     *supervisor
	sys   *actor.ActorSystem
	self  *actor.PID
	epoch uint64
}

// post runs do in the supervisor's own turn.
func (b inbox) post(do func()) { b.sys.Root.Send(b.self, &told{b.epoch, do}) }

// caught is deferred where a mailbox calls a seam. It may hold its lock, and without it nobody could end the claim: a panic
// must not go through it.
func (b inbox) caught() {
	if r := recover(); r != nil {
		stack := debug.Stack()
		b.post(func() { b.s.crashed(r, stack) })
	}
}

func (b inbox) Joined(member string, generation int32) {
	b.post(func() { b.s.joined(member, generation) })
}
func (b inbox) Assigned(claims []messages.Claim) { b.post(func() { b.s.assigned(claims) }) }
func (b inbox) Revoked(claims []messages.Claim, deadline time.Time) {
	b.post(func() { b.s.revoked(claims, deadline) })
}
func (b inbox) Lost(claims []messages.Claim, err error) { b.post(func() { b.s.lost(claims, err) }) }
func (b inbox) Ended(err error)                         { b.post(func() { b.s.membershipEnded(err) }) }
func (b inbox) Notice(err error)                        { b.post(func() { b.s.noticed(err) }) }
func (b inbox) CommitFailed(claim messages.Claim, next int64, err error, final bool) {
	b.post(func() { b.s.commitFailed(claim, next, err, final) })
}
func (b inbox) Committed(claim messages.Claim, next int64) {
	now := time.Now()
	b.post(func() { b.s.committed(claim, next, now) })
}
