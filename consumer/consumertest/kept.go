package consumertest

import (
	"slices"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// AllowKept says that records which are kept ([messages.Record.Keep]) and never completed do not fail the test. It is for
// tests of what such a record does to others. Where the test itself ends the claim, by Drain, Revoke or Lose, nothing is
// left to complete: [Kit.Drain] answers with a *messages.DrainError that names the record.
func (k *Kit) AllowKept() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keepable = true
}

// kept is a record that was open when the test ended.
type kept struct {
	claim  messages.Claim
	record *messages.Record
	since  time.Duration // when the handler, or Receive, returned without an answer; virtual time since Run began
}

// keptNow are the records whose handler, or Receive, has returned, and whose answer would still count. When everything is
// idle, only Keep makes that so: a return without it is an answer. Asking the mailbox, and not Keep itself, leaves the
// record as it is in production.
func (k *Kit) keptNow() (all []kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.partitions {
		if p.last != nil && p.running == 0 && p.mailbox.Stale(p.last) == nil {
			all = append(all, kept{p.claim, p.last, p.lastAt.Sub(k.began)})
		}
	}
	return all
}

// checkKept fails the test for each of the records that its claim's end had to abandon. An actor may complete what it
// has kept as late as Revoked: that is what the drain at the end of the test gives it time for.
func (k *Kit) checkKept(open []kept) {
	k.t.Helper()
	if k.keepable {
		return
	}
	for _, o := range open {
		abandoned := slices.ContainsFunc(k.events, func(e messages.Event) bool {
			a, ok := e.(*messages.Abandoned)
			return ok && a.Claim.Sequence == o.claim.Sequence && a.Offset == o.record.Offset
		})
		if abandoned {
			k.t.Errorf("%v (attempt %d) is kept since %v and was never completed; where that is meant: Kit.AllowKept", o.record, o.record.Attempt, o.since)
		}
	}
}
