package simulation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
	"github.com/ottla-go/ottla/messages"
)

// schedule is what happens to a group, made from a seed before anything runs.
type schedule struct {
	seed       uint64
	partitions int
	eager      bool // the strategy
	each       bool // a commit for each record
	rebalance  time.Duration
	faults     []fault
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
		if len(w.there) == 0 {
			return nil
		}
		return w.there[n%len(w.there)]
	}
}

func (s *schedule) disturb(r *rand.Rand) {
	one := which(r)
	long := time.Duration(r.IntN(70_000)) * time.Millisecond
	switch r.IntN(12) {
	case 0, 1:
		s.add(r, "start", func(w *world) { w.join() })
	case 2:
		s.end(r, one, "drain", &messages.Drain{})
	case 3:
		s.end(r, one, "stop", &messages.Stop{})
	case 4:
		s.add(r, "kill -9", func(w *world) {
			if p := one(w); p != nil {
				w.leaves(p)
				p.kill()
			}
		})
	case 5, 6:
		out, in := r.IntN(3) > 0, r.IntN(3) > 0
		s.add(r, fmt.Sprintf("cut requests %v and answers %v for %v", out, in || !out, long), func(w *world) {
			if p := one(w); p != nil {
				w.ledger.note("the cable of %s is cut", p.name)
				p.cable.cut(out, in || !out)
				w.later(long, func() {
					w.ledger.note("the cable of %s is whole", p.name)
					p.cable.cut(false, false)
				})
			}
		})
	case 7:
		s.add(r, "the coordinator moves", func(w *world) { w.cluster.Move() })
	case 8: // it dies, and another one takes over
		silent, takeover := r.IntN(2) == 0, time.Duration(r.IntN(15_000))*time.Millisecond
		s.add(r, fmt.Sprintf("the coordinator is gone for %v, silent %v; another one after %v", long, silent, takeover), func(w *world) {
			gone := w.cluster.Coordinator()
			away := w.cluster.Refuse
			if silent {
				away = w.cluster.Silence
			}
			away(gone, true)
			w.later(takeover, func() {
				if w.cluster.Coordinator() == gone {
					w.cluster.Move()
				}
			})
			w.later(long, func() { away(gone, false) })
		})
	case 9:
		apis := []membertest.API{membertest.Join, membertest.Sync, membertest.Heartbeat, membertest.Leave, membertest.Commit, membertest.Offsets, membertest.Find, membertest.Metadata}
		api := apis[r.IntN(len(apis))]
		s.add(r, "an answer gets lost: "+string(api), func(w *world) { w.cluster.Lose(api) })
	case 10:
		codes := []sarama.KError{
			sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable, sarama.ErrOffsetsLoadInProgress,
			sarama.ErrUnknownMemberId, sarama.ErrIllegalGeneration, sarama.ErrRebalanceInProgress,
		}
		apis := []membertest.API{membertest.Join, membertest.Sync, membertest.Heartbeat, membertest.Commit}
		api, code := apis[r.IntN(len(apis))], codes[r.IntN(len(codes))]
		s.add(r, fmt.Sprintf("%s is answered with %v", api, code), func(w *world) { w.cluster.Fail(api, code) })
	case 11:
		slow := time.Duration(r.IntN(500)) * time.Millisecond
		s.add(r, fmt.Sprintf("everything takes %v for %v", slow, long), func(w *world) {
			w.cluster.SetLatency(slow)
			w.later(long, func() { w.cluster.SetLatency(time.Millisecond) })
		})
	}
}

func (s *schedule) end(r *rand.Rand, one func(*world) *process, text string, how any) {
	s.add(r, text, func(w *world) {
		if p := one(w); p != nil {
			w.leaves(p)
			p.tell(how)
		}
	})
}

// String lists the schedule.
func (s schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d partitions, eager %v, a commit for each record %v, rebalance timeout %v\n", s.seed, s.partitions, s.eager, s.each, s.rebalance)
	for _, f := range s.faults {
		fmt.Fprintf(&b, "  after %8v  %s\n", f.pause, f.text)
	}
	return b.String()
}
