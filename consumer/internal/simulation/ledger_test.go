package simulation

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ottla-go/ottla/messages"
)

// ledger holds every step of all processes against what has to hold.
type ledger struct {
	shelf *shelf
	began time.Time

	mu         sync.Mutex
	partitions []account
	processes  map[string]*process // by member id
	violations []string
	story      []moment // what happened, for the one who reads a failure
	counts     counts
}

// counts are what a schedule has seen.
type counts struct {
	handled, duplicates, failures, commits, claims, steps int
}

// account is one partition's.
type account struct {
	done      map[int64]bool
	front     int // index of the first record that is not done
	running   map[*call]struct{}
	owner     *process // of the newest claim
	committed int64
}

// call is one handler that has not returned.
type call struct {
	who    *process
	offset int64
	ctx    context.Context //nolint:containedctx // of the attempt that is looked at
}

func newLedger(s *shelf) *ledger {
	l := &ledger{shelf: s, began: time.Now(), partitions: make([]account, len(s.offsets)), processes: map[string]*process{}}
	for p := range l.partitions {
		l.partitions[p] = account{done: map[int64]bool{}, running: map[*call]struct{}{}, committed: -1}
	}
	return l
}

// moment is a line of the story. It becomes a text only if somebody reads it: args are what does not change any more.
type moment struct {
	at     time.Duration
	format string
	args   []any
}

func (m moment) String() string {
	return fmt.Sprintf("%10v ", m.at.Round(time.Millisecond)) + fmt.Sprintf(m.format, m.args...)
}

// notef tells the story. It needs the lock.
func (l *ledger) notef(format string, args ...any) {
	l.counts.steps++
	l.story = append(l.story, moment{time.Since(l.began), format, args})
}

func (l *ledger) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notef(format, args...)
}

// violatef notes a breach. It needs the lock.
func (l *ledger) violatef(format string, args ...any) {
	l.notef("VIOLATION: "+format, args...)
	l.violations = append(l.violations, fmt.Sprintf(format, args...))
}

func (l *ledger) violate(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.violatef(format, args...)
}

// joined: a process has a member id.
func (l *ledger) joined(who *process, member string, generation int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processes[member] = who
	l.notef("%s is a member in generation %d", who.name, generation)
}

// assigned: a claim's start is known; its first record comes next.
func (l *ledger) assigned(who *process, c messages.Claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if who.dead {
		return
	}
	l.notef("%s owns %v", who.name, c)
	l.counts.claims++
	l.partitions[c.Partition].owner = who
	who.last[c.Partition] = -1
}

// begin: a handler is called.
func (l *ledger) begin(who *process, r *messages.Record) *call {
	all := l.shelf.all(r.Partition)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := &call{who, r.Offset, r.Context()}
	if who.dead {
		return now
	}
	a := &l.partitions[r.Partition]
	l.notef("%s handles %v, attempt %d", who.name, r, r.Attempt)
	if r.Offset < who.last[r.Partition] {
		l.violatef("%s handles %v after %d in the same claim", who.name, r, who.last[r.Partition])
	}
	who.last[r.Partition] = r.Offset
	if a.front < len(all) && r.Offset > all[a.front] {
		l.violatef("%s handles %v, and %d before it is not finished", who.name, r, all[a.front])
	}
	for other := range a.running {
		if !other.who.dead && other.ctx.Err() == nil {
			l.violatef("%s handles %v while %s handles offset %d", who.name, r, other.who.name, other.offset)
		}
	}
	if a.done[r.Offset] {
		l.counts.duplicates++
	}
	a.running[now] = struct{}{}
	return now
}

// end: the handler has returned, by itself or not; nil: it did its work.
func (l *ledger) end(now *call, r *messages.Record, finished bool) {
	all := l.shelf.all(r.Partition)
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &l.partitions[r.Partition]
	delete(a.running, now)
	if now.who.dead { // nobody has seen it
		return
	}
	l.counts.handled++
	if !finished {
		l.counts.failures++
		l.notef("%s fails %v", now.who.name, r)
		return
	}
	l.notef("%s finishes %v", now.who.name, r)
	a.done[r.Offset] = true
	for a.front < len(all) && a.done[all[a.front]] {
		a.front++
	}
}

// handling: a handler of a process that is there has not returned.
func (l *ledger) handling() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.partitions {
		for r := range l.partitions[p].running {
			if !r.who.dead {
				return true
			}
		}
	}
	return false
}

// commit: the coordinator has carried one out.
func (l *ledger) commit(partition int32, next int64, member string, generation int32) {
	all := l.shelf.all(partition)
	l.mu.Lock()
	defer l.mu.Unlock()
	a, who := &l.partitions[partition], l.processes[member]
	name := member
	if who != nil {
		name = who.name
	}
	l.counts.commits++
	l.notef("%s commits %s/%d at %d in generation %d", name, topic, partition, next, generation)
	if next < a.committed {
		l.violatef("%s commits %s/%d at %d, and it was at %d", name, topic, partition, next, a.committed)
	}
	if a.front < len(all) && next > all[a.front] {
		l.violatef("%s commits %s/%d at %d, and %d is not finished", name, topic, partition, next, all[a.front])
	}
	if who != a.owner {
		l.violatef("%s commits %s/%d at %d, and its newest claim is %s's", name, topic, partition, next, a.owner.name)
	}
	a.committed = next
}

// settled says what is not finished or not committed; "": nothing.
func (l *ledger) settled() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var open []string
	for p := range l.partitions {
		a := &l.partitions[p]
		all := l.shelf.all(int32(p))
		if a.front < len(all) {
			open = append(open, fmt.Sprintf("%s/%d: %d of %d records are finished, the next one is %d", topic, p, a.front, len(all), all[a.front]))
		} else if len(all) > 0 && a.committed <= all[len(all)-1] {
			open = append(open, fmt.Sprintf("%s/%d: committed %d, the last record is %d", topic, p, a.committed, all[len(all)-1]))
		}
	}
	return strings.Join(open, "\n")
}
