package simulation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// schedule is what happens to a group, made from a seed before anything runs.
type schedule struct {
	seed       uint64
	partitions int
	eager      bool // the strategy
	each       bool // a commit for each record
	static     bool // members (KIP-345)
	keeps      keeps
	rebalance  time.Duration
	limit      time.Duration // of an attempt; 0: none
	faults     []fault
	table      table
	directed   []step // what the handler directs about a hopeless record; nil: nothing
}

// fault is one step: after a pause, something happens.
type fault struct {
	pause time.Duration
	text  string
	do    func(w *world)
}

// The bounds of a schedule.
const (
	mostFaults    = 60
	mostProcesses = 5
	mostRecords   = 500
)

func newSchedule(seed uint64) schedule {
	r := rand.New(rand.NewPCG(seed, 1))
	s := schedule{seed: seed, partitions: 1 + r.IntN(6), eager: r.IntN(4) == 0, each: r.IntN(4) == 0, rebalance: time.Minute}
	if r.IntN(4) == 0 {
		s.rebalance = 15 * time.Second // less than the session timeout
	}
	s.static = r.IntN(3) == 0
	s.keeps = keeps(max(0, r.IntN(6)-3)) // Kafka in four of six
	records := 0
	write := func() {
		n := min(1+r.IntN(40), mostRecords-records)
		records += n
		p, hole := int32(r.IntN(s.partitions)), int64(max(0, r.IntN(8)-5))
		s.add(r, fmt.Sprintf("%d records to %d behind a hole of %d", n, p, hole), func(w *world) { w.shelf.write(p, n, hole) })
	}
	for range s.partitions {
		write()
	}
	for range 1 + r.IntN(3) {
		s.add(r, "start", func(w *world) { w.join() })
	}
	for range 5 + r.IntN(mostFaults-5) {
		if records < mostRecords && r.IntN(3) == 0 {
			write()
		} else {
			s.disturb(r)
		}
	}
	s.troubles()
	s.disturbHandover()
	return s
}

// pauses are short mostly, so that disturbances overlap, and long at times, so that the group comes to rest.
func pause(r *rand.Rand) time.Duration {
	switch r.IntN(4) {
	case 0:
		return time.Duration(r.IntN(10)) * time.Millisecond
	case 1:
		return time.Duration(r.IntN(1000)) * time.Millisecond
	case 2:
		return time.Duration(r.IntN(5000)) * time.Millisecond
	default:
		return time.Duration(r.IntN(20_000)) * time.Millisecond
	}
}

func (s *schedule) add(r *rand.Rand, text string, do func(w *world)) {
	s.faults = append(s.faults, fault{pause(r), text, do})
}

// which is one of the processes that are there when it happens.
func which(r *rand.Rand) func(w *world) *process {
	n := r.IntN(1 << 16)
	return func(w *world) *process {
		there := w.living()
		if len(there) == 0 {
			return nil
		}
		return there[n%len(there)]
	}
}

// String lists the schedule.
func (s schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d partitions, eager %v, a commit for each record %v, rebalance timeout %v, static members %v, offsets are kept by %v, an attempt may take %v\n",
		s.seed, s.partitions, s.eager, s.each, s.rebalance, s.static, s.keeps, s.limit)
	fmt.Fprintf(&b, "the handler directs about the hopeless: %s; the policy:\n%v", steps(s.directed), s.table)
	for _, f := range s.faults {
		fmt.Fprintf(&b, "  after %8v  %s\n", f.pause, f.text)
	}
	return b.String()
}
