package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// errOutage is a handler's while what all records need is away; the policy opens the breaker for it.
var errOutage = errors.New("downstream is away")

// troubles adds what came later than the rest of a schedule, from random numbers of its own: the schedule of a seed is still
// the same otherwise. In a third of them what all records need is away at times, in a third an attempt has a limit.
func (s *schedule) troubles() {
	r := rand.New(rand.NewPCG(s.seed, 7))
	if r.IntN(3) == 0 {
		s.limit = time.Duration(1+r.IntN(5)) * time.Second
	}
	s.table, s.directed = newTable(rand.New(rand.NewPCG(s.seed, 8)))
	s.disturbLetters()
	if r.IntN(3) > 0 {
		return
	}
	for range 1 + r.IntN(3) {
		d := time.Duration(r.IntN(30_000)) * time.Millisecond
		s.faults = slices.Insert(s.faults, r.IntN(len(s.faults)+1), fault{
			pause(r), fmt.Sprintf("downstream is away for %v", d), func(w *world) { w.back.Store(time.Now().Add(d).UnixNano()) },
		})
	}
}

// away: it is, now.
func (w *world) away() bool { return !w.peace.Load() && time.Now().UnixNano() < w.back.Load() }

// opening is what is known of a process's breaker: that it is open, and the calls that have begun since. It is told of an
// opening a little late, and takes it for over when one of these calls has succeeded, which can only be the probe: what is
// held against the breaker is true.
type opening struct {
	open  bool
	calls map[*call]struct{}
}

// opened needs the ledger's lock.
func (o *opening) opened() { *o = opening{true, map[*call]struct{}{}} }

// begins answers another call that is under way beside it, of a claim that is still to be minded. It needs the lock.
func (o *opening) begins(l *ledger, now *call) (beside *call) {
	if !o.open {
		return nil
	}
	for c := range o.calls {
		if l.minds(c) {
			beside = c
		}
	}
	o.calls[now] = struct{}{}
	return beside
}

// ends needs the lock.
func (o *opening) ends(now *call, succeeded bool) {
	if _, probe := o.calls[now]; !probe {
		return
	}
	delete(o.calls, now)
	o.open = o.open && !succeeded
}

// answers says whether what a handler returned closes a breaker.
func answers(err error) bool {
	var seek *messages.SeekError
	return err == nil || errors.As(err, &seek)
}
