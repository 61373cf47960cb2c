package member

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/conn"
)

// proc is one process: the machine, and in small what stands around it. Its goroutines are steps that come one after
// the other with pauses between them; a process that is frozen takes none.
type proc struct {
	s    *sim
	no   int
	r    *rand.Rand
	m    *machine
	wake *appointment

	dead bool // nothing of it happens any more
	gone bool // it was told to end, or is dead

	instance string // of a static member
	rival    bool   // there was another process with it at the same time, which has had its place, perhaps
	own      bool   // a join of its own that came late has its place

	addr       string            // of the coordinator; "": not known
	place      *conn.Coordinator // who we are, and before which coordinator
	wires      [wires]*wire
	deaf, mute bool // its cable is cut: nothing goes out, nothing comes in
	mishaps    map[api][]mishap
	astray     int // joins in a row that have not arrived

	frozen    time.Duration // until then
	frozenAt  time.Duration
	asleep    bool // and the monotonic clock stands still
	slept     time.Duration
	late      []func()      // what has come meanwhile
	thawed    time.Duration // when it was frozen last
	stalled   time.Duration // the supervisor reads nothing before
	hampered  time.Duration // the later of both
	inbox     []func()
	reading   bool
	live      map[tp]*tenure // as the member knows them
	asked     map[*tenure]bool
	current   map[int32]*tenure // as the supervisor knows them
	waiting   map[int32]*tenure // until their predecessor is gone
	commits   *commits
	whims     []whim          // of the next handlers
	hiccups   []time.Duration // of the committer
	slowPlans []time.Duration
}

// begin starts a process.
func (s *sim) begin(no int, instance string) {
	if s.procs[no] != nil {
		return
	}
	rules := s.rules
	rules.instance = instance
	p := &proc{
		instance: instance,
		s:        s, no: no, r: s.dice(1, uint64(no)), m: newMachine(rules), place: conn.NewCoordinator(nil, instance), mishaps: map[api][]mishap{},
		live: map[tp]*tenure{}, asked: map[*tenure]bool{}, current: map[int32]*tenure{}, waiting: map[int32]*tenure{},
	}
	p.commits = newCommits(p)
	p.place.OnReport(func(id conn.Identity, err error) {
		p.after(p.jitter()/4, func() { p.feed(told{id.Member, id.Generation, err}) })
	})
	for _, o := range s.inOrder() {
		if instance != "" && o.instance == instance && !o.dead {
			p.rival, o.rival = true, true
		}
	}
	s.procs[no] = p
	p.feed(start{})
}

func (p *proc) String() string {
	return fmt.Sprintf("p%d %v member %q generation %d, owns %d", p.no, p.m.phase, p.m.memberID, p.m.generation, len(p.m.owned))
}

func (p *proc) jitter() time.Duration { return time.Duration(100+p.r.IntN(2900)) * time.Microsecond }

// clock is the process's reading of both clocks.
func (p *proc) clock() instant { return instant{mono: p.s.now - p.slept + 1, wall: p.s.now + 1} }

// run takes a step of the process, now or when it is not frozen any more.
func (p *proc) run(f func()) {
	switch {
	case p.dead:
	case p.s.now < p.frozen:
		p.late = append(p.late, f)
	default:
		f()
	}
}

func (p *proc) after(d time.Duration, f func()) (a *appointment) {
	a = p.s.after(d, func() {
		p.run(func() {
			if !a.off {
				f()
			}
		})
	})
	return a
}

// strays: two joins in a row have not arrived; or one, and the process, which does not run, did not send the second.
func (p *proc) strays() bool { return p.astray > 1 || p.astray == 1 && p.frozen > p.s.now }

// freeze stops the process, as SIGSTOP does; asleep: with its machine, whose monotonic clock stands still.
func (p *proc) freeze(d time.Duration, asleep bool) {
	if p.s.now < p.frozen {
		return
	}
	p.frozen, p.frozenAt, p.asleep = p.s.now+d, p.s.now, asleep
	p.thawed, p.hampered = p.frozen, max(p.hampered, p.frozen)
	p.s.after(d, p.thaw)
}

func (p *proc) thaw() {
	if p.dead || p.frozen == 0 || p.s.now < p.frozen {
		return
	}
	p.frozen = 0
	if p.asleep {
		p.slept += p.s.now - p.frozenAt
	}
	late := p.late
	p.late = nil
	for _, f := range late { // all at once, so in any order
		p.s.after(p.jitter(), func() { p.run(f) })
	}
	d := p.jitter()
	if p.asleep { // the timer has slept, too; the loop compares the clocks every second
		d = time.Duration(p.r.Int64N(int64(glance)))
	}
	p.after(d, func() { p.feed(tick{}) })
}

// relieve ends what disturbs it.
func (p *proc) relieve() {
	p.deaf, p.mute, p.whims, p.hiccups, p.slowPlans = false, false, nil, nil, nil
	p.stalled = 0
	if p.frozen > p.s.now {
		p.frozen = p.s.now
	}
	p.thaw()
}

// drain has it give everything up and leave; by is how long that may take, 0: as long as it takes.
func (p *proc) drain(by time.Duration) {
	if p.gone {
		return
	}
	p.gone = true
	p.run(func() {
		e := stop{}
		if by > 0 {
			e.by = p.clock().add(by)
			p.after(by, func() { p.feed(cut{}) })
		}
		p.feed(e)
	})
}

// kill ends it as kill -9 does: what is on the wire may arrive, nothing follows.
func (p *proc) kill() {
	p.dead, p.gone = true, true
	for _, w := range p.wires {
		if w != nil {
			w.dead, w.waiting = true, nil
		}
	}
}

// feed gives the machine one event, and does what it wants.
func (p *proc) feed(ev event) {
	if p.dead {
		return
	}
	if e, ok := ev.(released); ok && p.s.tell {
		p.s.notef("p%d has released %v", p.no, e.tps)
	}
	now := p.clock()
	for _, a := range p.m.step(now, ev) {
		if _, beat := a.(sendHeartbeat); p.s.tell && (!beat || *stepsWhole) {
			p.s.notef("p%d %s", p.no, describe(a))
		}
		p.do(now, a)
	}
	p.wake.cancel()
	if next := p.m.next(); !p.dead && !next.never() {
		p.wake = p.after(max(p.clock().until(next), 0), func() { p.feed(tick{}) })
	}
}
