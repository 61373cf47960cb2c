package member

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// script is what happens to a group, made from a seed before anything runs. How long a request or a handler takes when
// nothing is wrong follows from the seed, too, for each process by itself: so a deed can be left out, and the others mean
// what they meant.
type script struct {
	seed       uint64
	partitions int
	each       bool // the next record waits for the commit of the one before
	static     bool // members (KIP-345)
	stored     bool // offsets, elsewhere than in Kafka
	rules      rules
	deeds      []deed
}

// deed is one event of a script.
type deed struct {
	at   time.Duration
	text string
	do   func(s *sim)
}

// The bounds of a script.
const (
	mostDeeds     = 60
	mostProcesses = 5
	mostNumbers   = 12 // processes that are ever started
	mostRecords   = 300
)

// author writes a script.
type author struct {
	script
	r       *rand.Rand
	at      time.Duration
	records int
	numbers int
	there   []int // were started and not ended

	instances map[int]string
}

func newScript(seed uint64) script {
	r := rand.New(rand.NewPCG(seed, 1))
	a := &author{r: r, instances: map[int]string{}, script: script{seed: seed, partitions: 1 + r.IntN(6), each: r.IntN(4) == 0}}
	a.rules = rules{
		cooperative: r.IntN(4) > 0, session: 45 * time.Second, rebalance: time.Minute,
		heartbeat: 3 * time.Second, backoff: 50 * time.Millisecond,
	}
	switch r.IntN(4) {
	case 0:
		a.rules.rebalance = 15 * time.Second // less than the session
	case 1:
		a.rules.session = 10 * time.Second
	}
	a.static, a.stored = r.IntN(3) == 0, r.IntN(3) == 0
	for range a.partitions {
		a.write()
	}
	for range 1 + r.IntN(3) {
		a.start()
	}
	for range 5 + r.IntN(mostDeeds-5-a.partitions-3) {
		if a.records < mostRecords && r.IntN(3) == 0 {
			a.write()
		} else {
			a.disturb()
		}
	}
	return a.script
}

// add puts a deed after a pause. Pauses are short mostly, so that disturbances overlap, and long at times, so that the
// group comes to rest.
func (a *author) add(do func(s *sim), format string, args ...any) {
	a.at += time.Duration(a.r.IntN([]int{10, 1000, 5000, 20_000}[a.r.IntN(4)])) * time.Millisecond
	a.deeds = append(a.deeds, deed{a.at, fmt.Sprintf(format, args...), do})
}

func (a *author) write() {
	n := min(1+a.r.IntN(20), mostRecords-a.records)
	a.records += n
	p, hole := int32(a.r.IntN(a.partitions)), int64(max(0, a.r.IntN(8)-5))
	a.add(func(s *sim) { s.write(p, n, hole) }, "%d records to %d behind a hole of %d", n, p, hole)
}

func (a *author) start() {
	if len(a.there) < mostProcesses && a.numbers < mostNumbers {
		instance := ""
		if a.static {
			instance = fmt.Sprint("i", a.numbers)
		}
		a.launch(instance)
	}
}

func (a *author) launch(instance string) {
	a.numbers++
	no := a.numbers
	a.there = append(a.there, no)
	a.instances[no] = instance
	a.add(func(s *sim) { s.begin(no, instance) }, "p%d starts %s", no, instance)
}

// end has a process end, some way or other.
func (a *author) end(no int) {
	a.there = slices.DeleteFunc(a.there, func(n int) bool { return n == no })
	switch by := a.long(30_000); a.r.IntN(4) {
	case 0:
		a.one(no, (*proc).kill, "kill -9")
	case 1:
		a.one(no, func(p *proc) { p.drain(by + time.Second) }, "drains within %v", by+time.Second)
	default:
		a.one(no, func(p *proc) { p.drain(0) }, "drains")
	}
}

// one is a deed that is done to a process, if it is there.
func (a *author) one(no int, do func(p *proc), format string, args ...any) {
	a.add(func(s *sim) {
		if p := s.procs[no]; p != nil && !p.dead {
			do(p)
		}
	}, "p%d: "+format, append([]any{no}, args...)...)
}

func (a *author) long(ms int) time.Duration { return time.Duration(a.r.IntN(ms)) * time.Millisecond }

func (a *author) disturb() {
	if len(a.there) == 0 {
		a.start()
		return
	}
	no, long := a.there[a.r.IntN(len(a.there))], a.long(70_000)
	switch a.r.IntN(22) {
	case 0, 1:
		a.start()
	case 2, 3:
		a.end(no)
	case 4:
		a.one(no, func(p *proc) { p.freeze(long, false) }, "is stopped for %v", long)
	case 5:
		a.one(no, func(p *proc) { p.freeze(long, true) }, "sleeps, with its monotonic clock, for %v", long)
	case 6:
		out, in := a.r.IntN(3) > 0, a.r.IntN(3) > 0
		in = in || !out
		a.one(no, func(p *proc) {
			p.deaf, p.mute = out, in
			p.s.after(long, func() { p.deaf, p.mute = false, false })
		}, "its requests (%v) and answers (%v) are cut off for %v", out, in, long)
	case 7:
		stall := a.long(40_000)
		a.one(no, func(p *proc) {
			p.stalled = p.s.now + stall
			p.hampered = max(p.hampered, p.stalled)
		}, "its supervisor reads nothing for %v", stall)
	case 8:
		if a.r.IntN(2) == 0 {
			a.add(func(s *sim) { s.hub.resign() }, "the coordinator moves")
			return
		}
		long /= 4
		a.add(func(s *sim) { s.hub.away = s.now + long }, "the coordinator does not answer for %v", long)
	case 9, 10, 11:
		a.mishap(no)
	case 16, 17:
		if a.static {
			a.befall(no)
		}
	case 18, 19:
		a.operate(no)
	case 20, 21:
		if a.stored {
			a.disturbStore()
		}
	case 12:
		d := a.long(12_000)
		a.one(no, func(p *proc) { p.hiccups = append(p.hiccups, d) }, "its committer pauses for %v between two steps", d)
	case 13:
		d := a.long(20_000)
		a.one(no, func(p *proc) { p.slowPlans = append(p.slowPlans, d) }, "its next plan takes %v", d)
	default:
		w := whim{takes: long, fails: a.r.IntN(3) == 0, heedless: a.r.IntN(3) == 0}
		a.one(no, func(p *proc) { p.whims = append(p.whims, w) }, "its next handler takes %v, fails %v, heeds its context %v", long, w.fails, !w.heedless)
	}
}

// mishap befalls a process's next request of a kind.
func (a *author) mishap(no int) {
	apis := []api{apiFind, apiJoin, apiSync, apiBeat, apiLeave, apiCommit, apiCommit, apiRead}
	kind, m, text := apis[a.r.IntN(len(apis))], mishap{}, ""
	d := a.long(25_000)
	switch a.r.IntN(7) {
	case 0, 1:
		m.out, text = d, fmt.Sprintf("arrives after %v", d)
	case 2:
		m.in, text = d, fmt.Sprintf("is answered after %v", d)
	case 3:
		m.noArrive, text = true, "gets lost"
	case 4:
		m.noAnswer, text = true, "is not answered"
	case 5:
		m.reset, text = true, "breaks its connection"
	case 6:
		codes := []sarama.KError{
			sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable, sarama.ErrOffsetsLoadInProgress,
			sarama.ErrUnknownMemberId, sarama.ErrIllegalGeneration, sarama.ErrRebalanceInProgress, sarama.ErrUnknown,
		}
		m.code = codes[a.r.IntN(len(codes))]
		text = fmt.Sprintf("is answered with %d, %v", m.code, m.code)
	}
	a.one(no, func(p *proc) { p.mishaps[kind] = append(p.mishaps[kind], m) }, "its next %s %s", kind, text)
}

// length is when the last deed is done, and what it has begun has passed.
func (sc script) length() time.Duration {
	if len(sc.deeds) == 0 {
		return 0
	}
	return sc.deeds[len(sc.deeds)-1].at + 10*time.Second
}

// String lists the script.
func (sc script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d partitions, a commit for each record %v, cooperative %v, session %v, rebalance timeout %v, static members %v, an offset store %v\n",
		sc.seed, sc.partitions, sc.each, sc.rules.cooperative, sc.rules.session, sc.rules.rebalance, sc.static, sc.stored)
	for _, d := range sc.deeds {
		fmt.Fprintf(&b, "  %9v  %s\n", d.at, d.text)
	}
	return b.String()
}
