package conformance

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
	"github.com/ottla-go/ottla/messages"
)

// owners keeps who owned which partition from when to when, by the wall clock: for members of all kinds, also of other
// processes.
type owners struct {
	mu    sync.Mutex
	spans map[int32][]ownership
	lost  int
}

// ownership is one member's, of one partition.
type ownership struct {
	member     string
	begin, end time.Time // end is zero while it lasts
}

func newOwners() *owners { return &owners{spans: map[int32][]ownership{}} }

func (o *owners) take(member string, partition int32, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.spans[partition] = append(o.spans[partition], ownership{member: member, begin: at})
}

// drop ends the member's latest ownership; nothing when there is none, as for a claim that ended before it began.
func (o *owners) drop(member string, partition int32, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.spans[partition]
	for i := len(list) - 1; i >= 0; i-- {
		if s := &list[i]; s.member == member && s.end.IsZero() {
			s.end = at
			return
		}
	}
}

// hooks report the claims of one of our members.
func (o *owners) hooks(member string) consumer.Hooks {
	return consumer.Hooks{
		Assigned: func(_ context.Context, c messages.Claim) error { o.take(member, c.Partition, time.Now()); return nil },
		Revoked:  func(r messages.Revoked) { o.drop(member, r.Claim.Partition, time.Now()) },
		Lost: func(l messages.Lost) {
			o.drop(member, l.Claim.Partition, time.Now())
			o.mu.Lock()
			defer o.mu.Unlock()
			o.lost++
		},
	}
}

// now is who owns each partition.
func (o *owners) now() map[int32][]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[int32][]string{}
	for p, list := range o.spans {
		for _, s := range list {
			if s.end.IsZero() {
				out[p] = append(out[p], s.member)
			}
		}
	}
	return out
}

// changed tells whether an ownership of the partition has begun between two instants.
func (o *owners) changed(partition int32, from, end time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.spans[partition], func(s ownership) bool { return s.begin.After(from) && s.begin.Before(end) })
}

// all: each of so many partitions has exactly one owner.
func (o *owners) all(partitions int) bool {
	now := o.now()
	for _, members := range now {
		if len(members) != 1 {
			return false
		}
	}
	return len(now) == partitions
}

// twice fails the test for every two ownerships of one partition that overlap, and answers how many there were in all.
func (o *owners) twice(t testing.TB) (claims int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, list := range o.spans {
		slices.SortStableFunc(list, func(a, b ownership) int { return cmp.Compare(a.begin.UnixNano(), b.begin.UnixNano()) })
		claims += len(list)
		for i := 1; i < len(list); i++ {
			if before, s := list[i-1], list[i]; before.end.IsZero() || s.begin.Before(before.end) {
				t.Errorf("partition %d: %s owned it from %v on, while %s owned it until %v", p, s.member, s.begin.Format(clock), before.member, before.end.Format(clock))
			}
		}
	}
	return claims
}

const clock = "15:04:05.000"
