package actors

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/ottla-go/ottla/messages"
)

// The record has been delivered anew when the reply comes, to the same PID: the new incarnation gets the reply to its own
// question, and not the one to a question that it does not know of.
func TestAskAnswersNoOtherIncarnation(t *testing.T) {
	bubble(t, func(r *rig) {
		c := r.hires(nil)
		r.deliver(0)
		r.system(&actor.Restart{})
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 restarting", "2 started", "2 assigned at 0", "2: 0/1")
		r.wantOpen(1)
		c.reply(0, "late")
		r.said()
		c.reply(1, "yes")
		r.said("2: answer 0/1: yes, <nil>")
		r.wantCommitted(1)
		r.wantOpen(0)
	})
}

// The reply has arrived, and its Answer waits behind a failure of the actor at something else. What the supervisor says
// decides: a fresh incarnation does not get it, the one that goes on does.
func TestAnAnswerThatWaitsIsForItsIncarnation(t *testing.T) {
	for name, c := range map[string]struct {
		verdict func(*asked)
		want    []string
	}{
		"restart": {restart(0), []string{"1 restarting", "2 started", "2 assigned at 0", "2: 0/1"}},
		"resume":  {retry(0), []string{"1: answer 0/0: yes, <nil>"}},
	} {
		bubbleOf(t, name, func(r *rig) {
			r.verdict = wait
			clerk := r.hires(nil)
			r.deliver(0)
			r.send(errors.New("boom"))
			clerk.reply(0, "yes")
			r.said("1 started", "1 assigned at 0", "1: 0/0")
			r.wantOpen(0)
			c.verdict(r.last())
			r.said(c.want...)
			r.wantFaults("Panic")
		})
	}
}

// While its partition is being revoked an open record still has its answer. At the end of that time it has none.
func TestAskWhileTheClaimEnds(t *testing.T) {
	revoke := func(r *rig) { r.box.Revoke(&messages.Revoked{}) }
	for name, c := range map[string]struct {
		end  func(*rig)
		want []string // after the reply
		next int64
	}{
		"revoked": {revoke, []string{"1 revoked", "1: answer 0/0: yes, <nil>", "1 stopping", "1 stopped", "terminated"}, 1},
		"revoked, contexts have ended": {func(r *rig) { revoke(r); r.box.Cancel(messages.ErrRevoked) },
			[]string{"1 revoked", "1: answer 0/0: yes, <nil>", "1 stopping", "1 stopped", "terminated"}, 1},
		"abandoned": {func(r *rig) { revoke(r); synctest.Wait(); r.box.Abandon(messages.ErrRevoked) }, []string{"1 revoked", "1 stopping", "1 stopped", "terminated"}, -1},
		"lost":      {func(r *rig) { r.box.Lose(&messages.Lost{}) }, []string{"1 lost", "1 stopping", "1 stopped", "terminated"}, -1},
		"closed":    {func(r *rig) { revoke(r); r.box.Close() }, []string{"1 revoked"}, -1},
	} {
		bubbleOf(t, name, func(r *rig) {
			clerk := r.hires(nil)
			r.deliver(0, 1)
			c.end(r)
			synctest.Wait()
			if c.next < 0 {
				r.wantOpen(0)
			}
			clerk.reply(0, "yes")
			r.locked(func() {
				r.log = slices.DeleteFunc(r.log, func(s string) bool { return s == "1 started" || s == "1 assigned at 0" || s == "1: 0/0" })
			})
			r.said(c.want...)
			r.wantCommitted(c.next)
			r.wantOpen(0)
		})
	}
}

// The Answer is in the mailbox, behind a message that the actor is at, when the claim is lost, and another claim of the same
// partition begins: neither actor gets it.
func TestAnAnswerThatWaitsIsForItsClaim(t *testing.T) {
	bubble(t, func(r *rig) {
		c := r.hires(nil)
		r.deliver(0)
		release := make(chan struct{})
		asks := r.receive
		r.receive = func(ctx actor.Context) {
			if ctx.Message() == "busy" {
				<-release
			}
			asks(ctx)
		}
		r.send("busy")
		c.reply(0, "yes")
		r.box.Lose(&messages.Lost{})
		next := newRig(t)
		next.set.Claim.Sequence++
		another := next.hires(nil)
		next.deliver(0)
		close(release)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 busy", "1 lost", "1 stopping", "1 stopped", "terminated")
		r.wantCommitted(-1)
		next.said("1 started", "1 assigned at 0", "1: 0/0")
		another.reply(0, "no")
		next.said("1: answer 0/0: no, <nil>")
		next.end()
	})
}

// The attempt's own time is over before the question's: it is delivered again, and asked about again.
func TestAskEndsWithTheHandlerTimeout(t *testing.T) {
	bubble(t, func(r *rig) {
		r.set.HandlerTimeout = 40 * time.Second
		c := r.hires(nil)
		r.deliver(0)
		time.Sleep(40 * time.Second)
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1: 0/1")
		r.wantFaults("Timeout 0/0")
		r.wantOpen(1)
		c.reply(0, "late")
		time.Sleep(25 * time.Second) // the first question's time would be over
		r.said()
		c.reply(1, "yes")
		r.said("1: answer 0/1: yes, <nil>")
		r.wantCommitted(1)
	})
}

// Whoever pipes an answer to the actor by himself has the same fence.
func TestAnAnswerOfAGoroutineIsFenced(t *testing.T) {
	bubble(t, func(r *rig) {
		r.hires(nil)
		var kept []*messages.Record
		asks := r.receive
		r.receive = func(ctx actor.Context) {
			if rec, ok := ctx.Message().(*messages.Record); ok {
				kept = append(kept, rec)
				rec.Keep()
				return
			}
			asks(ctx)
		}
		r.deliver(0)
		r.system(&actor.Restart{})
		r.send(&messages.Answer{Record: kept[0], Value: "late"})
		r.send(&actor.MessageEnvelope{Message: &messages.Answer{Record: kept[0], Value: "late, in an envelope"}})
		r.send(&messages.Answer{Record: kept[1], Value: "yes"})
		r.said("1 started", "1 assigned at 0", "1: 0/0", "1 restarting", "2 started", "2 assigned at 0", "2: 0/1", "2: answer 0/1: yes, <nil>")
	})
}
