package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/IBM/sarama"

	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
	"github.com/ottla-go/ottla/messages"
)

// disturb adds one disturbance.
func (s *schedule) disturb(r *rand.Rand) {
	one := which(r)
	long := time.Duration(r.IntN(70_000)) * time.Millisecond
	switch n := r.IntN(20); n {
	case 12, 13:
		s.add(r, fmt.Sprintf("SIGSTOP for %v", long), func(w *world) {
			if p := one(w); p != nil {
				w.ledger.counted(func(c *counts) { c.pauses++ })
				p.pause(long)
			}
		})
	case 14, 15:
		if r.IntN(2) == 0 {
			s.disturbCommand(r, one)
			break
		}
		nth, after, skip := r.IntN(1<<16), time.Duration(r.IntN(2000))*time.Millisecond, r.IntN(2) == 0
		s.add(r, fmt.Sprintf("an operator looks at a head, and %v later has it skipped (%v) or tried again", after, skip), func(w *world) {
			if p := one(w); p != nil {
				w.disturbances.Go(func() { w.act(p, nth, after, map[bool]order{true: asSkip}[skip]) })
			}
		})
	case 16, 17, 18, 19:
		switch {
		case s.keeps != kafka && n < 18:
			s.disturbStore(r)
		case s.static:
			s.disturbStatic(r, one)
		}
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

// disturbStore is something that befalls a database.
func (s *schedule) disturbStore(r *rand.Rand) {
	n, partition, part, slow := 1+r.IntN(5), int32(r.IntN(s.partitions)), r.Float64(), time.Duration(r.IntN(40_000))*time.Millisecond
	switch r.IntN(4) {
	case 0:
		s.add(r, fmt.Sprintf("%d calls of the store fail", n), func(w *world) { w.store.set(func() { w.store.failed += n }) })
	case 1:
		s.add(r, fmt.Sprintf("%d saves are done, and fail to say so", n), func(w *world) { w.store.set(func() { w.store.unsure += n }) })
	case 2:
		s.add(r, fmt.Sprintf("a call of the store takes %v", slow), func(w *world) { w.store.set(func() { w.store.slow = slow }) })
	case 3:
		s.add(r, fmt.Sprintf("the store of %d is put to %.2f of its log", partition, part), func(w *world) { w.store.put(partition, part) })
	}
}

// disturbStatic is something that befalls a static member.
func (s *schedule) disturbStatic(r *rand.Rand, one func(*world) *process) {
	kill, away := r.IntN(2) == 0, time.Duration(r.IntN(30_000))*time.Millisecond
	if r.IntN(3) == 0 {
		s.add(r, "a second process with the same instance id", func(w *world) {
			if p := one(w); p != nil && len(w.living()) < mostProcesses {
				w.ledger.note("%s is a second %s", w.add(p.instance).name, p.instance)
			}
		})
		return
	}
	s.add(r, fmt.Sprintf("when the group is at rest: a restart, by kill -9 (%v), after %v", kill, away), func(w *world) {
		if p := one(w); p != nil {
			w.restart(p, kill, away)
		}
	})
}
