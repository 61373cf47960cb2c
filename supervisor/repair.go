package supervisor

import "time"

// repair is what will be tried again: by a timer, or by an operator. A claim's start and its actor fail apart from each
// other, often for the same reason and at the same moment, and each is repaired in its own time.
type repair struct {
	again func()      // nil: there is nothing to repair
	timer *time.Timer // nil: parked, somebody has to act
	until time.Time   // with timer
}

// repairAfter tries again when d is over.
func (s *supervisor) repairAfter(r *repair, d time.Duration, again func()) {
	r.clear()
	r.again, r.until = again, time.Now().Add(d)
	s.after(&r.timer, d, r.now)
}

// whenDecided repairs the claim's actor, but not while its head is being given up: a second later, then. The answer to that
// says where the partition stands, and comes soon.
func (s *supervisor) whenDecided(c *claim, repair func()) {
	if c.skipping {
		s.repairAfter(&c.actor, time.Second, func() { s.whenDecided(c, repair) })
		return
	}
	repair()
}

// park has somebody say when it is tried again.
func (r *repair) park(again func()) {
	r.clear()
	r.again = again
}

func (r *repair) waits() bool { return r.again != nil }

// now tries again, if there is something to repair.
func (r *repair) now() {
	again := r.again
	r.clear()
	if again != nil {
		again()
	}
}

// clear forgets it.
func (r *repair) clear() {
	stopTimer(&r.timer)
	r.again, r.until = nil, time.Time{}
}

// after does something in the supervisor's turn, unless another wait takes the place of this one before.
func (s *supervisor) after(place **time.Timer, d time.Duration, do func()) {
	stopTimer(place)
	in := s.in
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		in.post(func() {
			if *place == t {
				*place = nil
				do()
			}
		})
	})
	*place = t
}

func stopTimer(place **time.Timer) {
	if *place != nil {
		(*place).Stop()
		*place = nil
	}
}
