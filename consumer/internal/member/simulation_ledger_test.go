package member

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ledger holds every step of all processes against what has to hold.
type ledger struct {
	s          *sim
	partitions []account
	kind, text string // of the first violation

	// What a script has seen.
	steps, attempts, failures, duplicates, accepted, tenures, overtaken, strays, fenced, own, saves, seeks, orders int
}

// account is one partition's.
type account struct {
	done      map[int64]bool
	front     int // index of the first record that is not done
	running   []*tenure
	newest    *tenure
	row       row // of the store
	committed int64
	by        *proc // whose commit was the last
	byNo      int   // and which request of all
	behind    bool  // it was moved back by a request that was overtaken
	highest   int64
}

func newLedger(s *sim) *ledger {
	l := &ledger{s: s, partitions: make([]account, s.partitions)}
	for p := range l.partitions {
		l.partitions[p] = account{done: map[int64]bool{}, committed: -1}
	}
	return l
}

func (l *ledger) broken() bool { return l.kind != "" }

// violate notes the first breach. The kind is what two scripts have in common that break the same rule.
func (l *ledger) violate(kind, format string, args ...any) {
	if !l.broken() {
		l.kind, l.text = kind, fmt.Sprintf(format, args...)
		l.s.notef("VIOLATION: %s: %s", kind, l.text)
	}
}

// owns: a partition is assigned.
func (l *ledger) owns(k *tenure) {
	a := &l.partitions[k.partition]
	l.tenures++
	k.number = 1
	if a.newest != nil {
		k.number = a.newest.number + 1
	}
	a.newest = k
}

// ended says that a claim is over as far as its process can know: it has been told, or its own clocks say that the lease
// is over, though it has not looked yet. What it still does is nobody's fault but the time's.
func (k *tenure) ended() bool {
	p := k.p
	if p.dead || k.fenced || k.abandoned || p.rival || p.own {
		return true
	}
	now := p.clock()
	if now.reached(p.m.leased()) {
		return true
	}
	c := p.m.owned[k.at]
	return c != nil && !c.over.never() && now.reached(c.over)
}

// begins: a handler is called.
func (l *ledger) begins(k *tenure, offset int64, attempt int) {
	a := &l.partitions[k.partition]
	l.attempts++
	l.s.notef("p%d handles %d@%d, attempt %d", k.p.no, k.partition, offset, attempt)
	all := l.s.shelf.offsets[k.partition]
	if k.parked {
		l.violate("a park", "p%d handles %d@%d, and it is parked", k.p.no, k.partition, offset)
	}
	if k.wanted >= 0 {
		if i, _ := slices.BinarySearch(all, k.wanted); i == len(all) || all[i] != offset {
			l.violate("a seek", "p%d handles %d@%d after a seek to %d", k.p.no, k.partition, offset, k.wanted)
		}
		k.wanted = -1
	}
	if (!l.s.stored || k.fence == a.row.fence) && a.front < len(all) && offset > all[a.front] {
		l.violate("order", "p%d handles %d@%d, and %d before it is not finished", k.p.no, k.partition, offset, all[a.front])
	}
	if a.done[offset] {
		l.duplicates++
	}
	a.running = slices.DeleteFunc(a.running, func(o *tenure) bool { return o.p.dead || o.flight == nil || o == k })
	for _, o := range a.running {
		switch {
		case o.ended() || k.ended():
		case o.p.strays() || k.p.strays():
			l.strays++ // a heartbeat was taken for a sign that the group has the join: what the design does not cover
		default:
			l.violate("two handlers", "p%d handles %d@%d while p%d handles %d", k.p.no, k.partition, offset, o.p.no, o.flight.offset)
		}
	}
	a.running = append(a.running, k)
}

// ends: a handler has returned.
func (l *ledger) ends(k *tenure, offset int64, well bool) {
	if !well {
		l.failures++
		l.s.notef("p%d fails %d@%d", k.p.no, k.partition, offset)
		return
	}
	l.s.notef("p%d finishes %d@%d", k.p.no, k.partition, offset)
	if !l.s.stored {
		l.leaves(k.partition, offset)
	}
}

// leaves: a record is done, or may go without.
func (l *ledger) leaves(partition int32, offset int64) {
	a := &l.partitions[partition]
	a.done[offset] = true
	for all := l.s.shelf.offsets[partition]; a.front < len(all) && a.done[all[a.front]]; {
		a.front++
	}
}

// commits: the coordinator carries one out.
func (l *ledger) commits(c *call, o offer) {
	k := o.k
	a, all := &l.partitions[k.partition], l.s.shelf.offsets[k.partition]
	l.accepted++
	l.s.notef("the coordinator has %d at %d, of p%d, request %d", k.partition, o.Next, k.p.no, c.no)
	if n := a.newest; n != k && n.p != k.p && !n.p.shares(k.p) {
		l.violate("a commit of an earlier owner", "%d at %d is of claim %d of p%d (closed %v, lost %v), and claim %d of p%d has begun",
			k.partition, o.Next, k.number, k.p.no, k.closed, k.fenced, n.number, n.p.no)
	}
	if a.front < len(all) && o.Next > all[a.front] {
		l.violate("a commit passes a record", "%d at %d, and record %d is not finished", k.partition, o.Next, all[a.front])
	}
	if o.Next < a.committed {
		// Kafka does not order two connections, and cannot tell a commit from an earlier one of the same member in the
		// same generation: a request that was cut, and arrives after the next one, moves the owner's own offset back. What
		// follows is that records are handled twice.
		if a.by != k.p || c.no > a.byNo || !c.w.dead {
			l.violate("a committed offset goes back", "%d from %d to %d, by p%d", k.partition, a.committed, o.Next, k.p.no)
		}
		l.overtaken++
	}
	a.committed, a.highest = o.Next, max(a.highest, o.Next)
	a.behind = o.Next < a.highest
	if c.no > a.byNo || a.by != k.p {
		a.by, a.byNo = k.p, c.no
	}
}

// lost: the member has told it.
func (l *ledger) lost(k *tenure, err error) {
	if errors.Is(err, ErrRevokeTimeout) && !k.pressed && k.p.hampered < k.toldAt {
		l.violate("not released by its deadline", "p%d, %v: %v", k.p.no, k.at, err)
	}
}

// expect looks, when the time has come, whether a claim was released or lost.
func (l *ledger) expect(k *tenure) {
	p := k.p
	switch left := p.leeway(k); {
	case p.dead || p.live[k.at] != k:
	case left > 0:
		l.s.after(left, func() { l.expect(k) })
	default:
		l.violate("neither released nor lost by its deadline", "p%d, %v, told at %v", p.no, k.at, k.toldAt)
	}
}

// leeway is how long a claim may go on that is to be given up. Where the group does not wait, the member itself counts it
// as lost, whatever its supervisor does; else a supervisor that was held up has its reserve once more.
func (p *proc) leeway(k *tenure) time.Duration {
	now := p.clock()
	if c := p.m.owned[k.at]; c != nil && !c.over.never() {
		return max(now.until(c.over)+50*time.Millisecond, p.thawed+glance-p.s.now)
	}
	return max(now.until(k.by)+p.m.reserve()+50*time.Millisecond, p.hampered+p.m.reserve()-p.s.now)
}

// open says what is not handled, or not committed; "": nothing.
func (l *ledger) open() string {
	var open []string
	for p := range l.partitions {
		a, all := &l.partitions[p], l.s.shelf.offsets[p]
		switch {
		case len(all) == 0:
		case a.front < len(all):
			open = append(open, fmt.Sprintf("%d of %d records of %d are not finished, the first is %d", len(all)-a.front, len(all), p, all[a.front]))
		case !l.s.stored && a.committed <= all[len(all)-1] && !a.behind:
			open = append(open, fmt.Sprintf("%d is committed at %d, its last record is %d", p, a.committed, all[len(all)-1]))
		}
	}
	return strings.Join(open, "; ")
}
