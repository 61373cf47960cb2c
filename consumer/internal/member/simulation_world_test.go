package member

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// sim is one script while it runs: a group of processes, their coordinator and their log, in virtual time, stepped by
// one goroutine. What happens is on the agenda; nothing else makes anything happen, so that a script replays exactly.
type sim struct {
	script

	now    time.Duration
	agenda agenda
	made   int // appointments, in the order in which they were made
	still  int // steps at this time

	hub    *hub
	shelf  *shelf
	procs  map[int]*proc // by number; who has ended stays
	ledger *ledger
	calls  int // requests that were made

	storeTrouble int // so many calls of the store fail
	unsure       int // so many saves are done, and fail to say so

	peace bool
	tell  bool // keep the story
	story []string
}

// appointment is a step that is due at a time.
type appointment struct {
	at  time.Duration
	seq int
	do  func()
	off bool
}

// agenda is a heap: what is due first is first, in the order in which it was made.
type agenda []*appointment

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(*appointment)) }
func (a *agenda) Pop() any {
	old := *a
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	return x
}

// after puts a step on the agenda.
func (s *sim) after(d time.Duration, do func()) *appointment {
	s.made++
	a := &appointment{at: s.now + d, seq: s.made, do: do}
	heap.Push(&s.agenda, a)
	return a
}

// cancel takes a step off the agenda; nil is none.
func (a *appointment) cancel() {
	if a != nil {
		a.off = true
	}
}

// notef tells the story to whoever reads a failure.
func (s *sim) notef(format string, args ...any) {
	if s.tell {
		s.story = append(s.story, fmt.Sprintf("%11v  ", s.now.Round(100*time.Microsecond))+fmt.Sprintf(format, args...))
	}
}

// stepUntil takes steps until ok says so, or until limit is over. It stops at the first violation: what follows from
// that tells nothing.
func (s *sim) stepUntil(limit time.Duration, ok func() bool) bool {
	until := s.now + limit
	for !s.ledger.broken() {
		if ok() {
			return true
		}
		if len(s.agenda) == 0 || s.agenda[0].at > until {
			s.now = until
			return false
		}
		a := heap.Pop(&s.agenda).(*appointment)
		if a.off {
			continue
		}
		if s.still++; a.at > s.now {
			s.now, s.still = a.at, 0
		}
		if s.ledger.steps++; s.still > 10_000 {
			s.ledger.violate("a hot loop", "%d steps in no time", s.still)
		}
		a.do()
	}
	return true
}

// untroubled is how long a group in peace may take: a session, a rebalance, the longest handler, and then some.
const untroubled = 10 * time.Minute

// live runs a script to its end, and answers what was seen.
func (sc script) live(tell bool) *sim {
	s := &sim{script: sc, procs: map[int]*proc{}, tell: tell}
	s.shelf = newShelf(sc.partitions)
	s.ledger = newLedger(s)
	s.hub = newHub(s)
	for _, d := range sc.deeds {
		s.after(d.at, func() {
			s.notef("-- %s", d.text)
			d.do(s)
		})
	}
	s.stepUntil(sc.length(), func() bool { return false })
	if !s.ledger.broken() {
		s.rest()
	}
	return s
}

// rest is the peace after the last disturbance: everything is handled and committed, then everybody drains.
func (s *sim) rest() {
	s.notef("-- peace")
	s.peace = true
	s.hub.away = 0
	for _, p := range s.inOrder() {
		p.relieve()
	}
	if s.stored { // whoever was fenced, and has nothing to save, does not know it
		for p := range s.partitions {
			s.write(int32(p), 1, 0)
		}
	}
	next := s.now
	settled := func() bool { // seldom: it looks at every partition
		if s.now < next {
			return false
		}
		next = s.now + 100*time.Millisecond
		if !slices.ContainsFunc(s.inOrder(), func(p *proc) bool { return !p.gone }) {
			s.begin(mostNumbers+1, "")
		}
		return s.ledger.open() == "" && !s.twice()
	}
	if !s.stepUntil(untroubled, settled) {
		s.ledger.violate("not settled in peace", "%s; two with the same instance id %v", s.ledger.open(), s.twice())
		return
	}
	for _, p := range s.inOrder() {
		p.drain(0)
	}
	over := func() bool {
		for _, p := range s.procs {
			if !p.dead {
				return false
			}
		}
		return true
	}
	if !s.stepUntil(untroubled, over) {
		s.ledger.violate("a drain does not end", "%v", s.inOrder())
	}
}

// inOrder lists the processes by their numbers: the order of a map is nobody's.
func (s *sim) inOrder() (all []*proc) {
	for n := range mostNumbers + 2 {
		if p := s.procs[n]; p != nil {
			all = append(all, p)
		}
	}
	return all
}

// dice for something that has a name, so that it falls the same way whatever else was left out of the script.
func (s *sim) dice(a, b uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed<<8^a, b)) }
