package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ottla-go/ottla/consumer/internal/member/membertest"
	"github.com/ottla-go/ottla/consumer/internal/metadata"
	"github.com/ottla-go/ottla/messages"
)

// ledger holds every step of all processes against what has to hold.
type ledger struct {
	shelf *shelf
	began time.Time

	mu         sync.Mutex
	partitions []account
	processes  map[string]*process  // by member id
	ends       map[*process]int     // claims that have ended
	ending     map[uint64]time.Time // claims that are to be given up until then, or are lost
	violations []string
	story      []moment // what happened, for the one who reads a failure
	counts     counts
}

// counts are what a schedule has seen.
type counts struct {
	handled, duplicates, failures, commits, claims, steps int
	pauses, saves, fenced, seeks, skips, restarts         int
	parks, pausings                                       int // by an operator
	openings, timeouts, reports                           int
	decisions, letters, written, givenUp                  int // by the policy; letters: tries
}

// account is one partition's.
type account struct {
	done      map[int64]bool
	may       map[int64]int // so many operators may be skipping it
	front     int           // index of the first record that is neither
	running   map[*call]struct{}
	owner     *process // of the newest claim
	acquirer  *process // who has acquired the store last
	claim     uint64   // and its sequence number
	committed int64
	note      metadata.Note // beside it
	failed    map[int64]int // attempts at a record, of all owners
	furthest  int64         // where a store has ever stood
}

// call is one handler that has not returned.
type call struct {
	who    *process
	offset int64
	ctx    context.Context //nolint:containedctx // of the attempt that is looked at
	record *messages.Record
	seen   *seen // of its claim; nil: it is of an older fence
	claim  uint64
}

// minds: the call may not have another one beside it. An end of its context says that its claim has ended, unless it is for
// its own time, which does not let anybody else begin: then the claim is asked. It is over for handlers, too, from its
// deadline on, though an answer still counts in the grace that follows. Say p1 is stopped at 28 s, and told to drain:
//
//	29 s  the time of its attempt is over
//	73 s  the group has thrown p1 out
//	86 s  p1 goes on; the deadline of its claim was long ago: contexts end, and the attempt's had ended. It has 2 s to return
//	87 s  p3 owns the partition, and handles the record
func (l *ledger) minds(c *call) bool {
	if c.ctx.Err() == nil {
		return true
	}
	end, ends := l.ending[c.claim]
	return errors.Is(context.Cause(c.ctx), messages.ErrTimeout) && c.record.Stale() == nil && (!ends || time.Now().Before(end))
}

func newLedger(s *shelf) *ledger {
	l := &ledger{
		shelf: s, began: time.Now(), partitions: make([]account, len(s.offsets)),
		processes: map[string]*process{}, ends: map[*process]int{}, ending: map[uint64]time.Time{},
	}
	for p := range l.partitions {
		l.partitions[p] = account{done: map[int64]bool{}, may: map[int64]int{}, failed: map[int64]int{}, running: map[*call]struct{}{}, committed: -1}
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

// counted counts what was done.
func (l *ledger) counted(f func(*counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.counts)
}

// gone: a claim has ended.
func (l *ledger) gone(who *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends[who]++
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
	if a := &l.partitions[c.Partition]; c.Sequence > a.claim { // who goes on after a pause may tell late of a claim that is over
		a.owner, a.claim = who, c.Sequence
	}
	n := newSeen()
	n.claim, n.recent = c.Sequence, who.early[c.Partition]
	delete(who.early, c.Partition)
	if who.world.store != nil { // it was acquired before
		old := who.seenOf(c.Partition)
		n.fence, n.stand = old.fence, old.stand
	} else {
		a := &l.partitions[c.Partition]
		n.stand, n.carry, n.parked = max(a.committed, 0), carry{a.committed, a.note.Attempt}, a.note.Parked
	}
	who.seen[c.Partition] = n
}

// begin: a handler is called. fence is that of the store now; nobody is held to what a store expects that has another
// owner by now.
func (l *ledger) begin(who *process, r *messages.Record, fence int64) *call {
	all := l.shelf.all(r.Partition)
	l.mu.Lock()
	defer l.mu.Unlock()
	a, s := &l.partitions[r.Partition], who.seenOf(r.Partition)
	now := &call{who: who, offset: r.Offset, ctx: r.Context(), record: r, claim: s.claim}
	if who.dead {
		return now
	}
	l.notef("%s handles %s/%d@%d, attempt %d", who.name, topic, r.Partition, r.Offset, r.Attempt)
	why := who.stood(r)
	if r.Fence == s.fence { // else from before the store was acquired anew
		now.seen = s
		why = cmp.Or(why, s.next(r, all, a.may), s.begins(r, who.world.store != nil))
	}
	if why != "" {
		l.violatef("%s handles %s/%d@%d%s", who.name, topic, r.Partition, r.Offset, why)
	}
	if r.Fence == fence && a.front < len(all) && r.Offset > all[a.front] {
		l.violatef("%s handles %s/%d@%d, and %d before it is not finished", who.name, topic, r.Partition, r.Offset, all[a.front])
	}
	for other := range a.running {
		if !other.who.dead && l.minds(other) && !who.excused() && !other.who.excused() {
			l.violatef("%s handles %s/%d@%d while %s handles offset %d", who.name, topic, r.Partition, r.Offset, other.who.name, other.offset)
		}
	}
	if beside := who.breaker.begins(l, now); beside != nil {
		l.violatef("%s handles %s/%d@%d while its breaker is open, beside offset %d of another partition", who.name, topic, r.Partition, r.Offset, beside.offset)
	}
	if a.done[r.Offset] {
		l.counts.duplicates++
	}
	a.running[now] = struct{}{}
	return now
}

// end: the handler has returned, with an answer, or it has panicked. With a store, that the record is done is the store's to say.
func (l *ledger) end(now *call, panicked bool, answer error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, who := now.record, now.who
	who.breaker.ends(now, !panicked && answers(answer))
	a := &l.partitions[r.Partition]
	delete(a.running, now)
	if who.dead { // nobody has seen it
		return
	}
	l.counts.handled++
	switch class := classOf(now.ctx, panicked, answer); class {
	case 0:
		l.notef("%s finishes %s/%d@%d", who.name, topic, r.Partition, r.Offset)
		if now.seen != nil {
			now.seen.gone(r.Offset)
		}
		if who.world.store == nil {
			l.leaves(r.Partition, r.Offset)
		}
	case messages.ClassSeek: // it was sought
	default:
		l.counts.failures++
		a.failed[r.Offset]++
		l.notef("%s fails %s/%d@%d: %v", who.name, topic, r.Partition, r.Offset, answer)
		if now.seen != nil {
			now.seen.fails(r, class, answer)
		}
	}
}

// classOf is what an attempt came to; 0: success.
func classOf(ctx context.Context, panicked bool, answer error) messages.Class {
	switch {
	case panicked:
		return messages.ClassPanic
	case answer == nil:
		return 0
	}
	class := messages.ClassOf(answer)
	if class == messages.ClassHandler && errors.Is(context.Cause(ctx), messages.ErrTimeout) {
		return messages.ClassTimeout
	}
	return class
}

// leaves: a record is done, or may go without. It needs the lock.
func (l *ledger) leaves(partition int32, offset int64) {
	l.partitions[partition].done[offset] = true
	l.advance(partition)
}

// advance looks for the first record that is not done. It needs the lock.
func (l *ledger) advance(partition int32) {
	a, all := &l.partitions[partition], l.shelf.all(partition)
	for a.front < len(all) && (a.done[all[a.front]] || a.may[all[a.front]] > 0) {
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
func (l *ledger) commit(partition int32, o membertest.Offset, stored bool) {
	next, member, generation := o.Next, o.Member, o.Generation
	note, err := metadata.Decode(o.Metadata)
	all := l.shelf.all(partition)
	l.mu.Lock()
	defer l.mu.Unlock()
	a, who := &l.partitions[partition], l.processes[member]
	name := member
	if who != nil {
		name = who.name
	}
	l.counts.commits++
	l.notef("%s commits %s/%d at %d in generation %d, attempts %d, parked %v", name, topic, partition, next, generation, note.Attempt, note.Parked)
	switch {
	case err != nil || note.Attempt > a.failed[next] && !stored:
		l.violatef("%s commits %s/%d at %d with %d attempts, and %d have failed: %v", name, topic, partition, next, note.Attempt, a.failed[next], err)
	case stored: // a report of progress; a store may be put back
		if i, _ := slices.BinarySearch(all, a.furthest); i < len(all) && next > all[i] {
			l.violatef("%s commits %s/%d at %d, and %d was never done in the store", name, topic, partition, next, all[i])
		}
	case next < a.committed:
		l.violatef("%s commits %s/%d at %d, and it was at %d", name, topic, partition, next, a.committed)
	case a.front < len(all) && next > all[a.front]:
		l.violatef("%s commits %s/%d at %d, and %d is not finished", name, topic, partition, next, all[a.front])
	}
	// With a store, where a claim starts is reported as soon as it is acquired, and its event comes a moment later.
	if who != a.owner && (!stored || who != a.acquirer) && !who.shares(a.owner) {
		owner := "nobody"
		if a.owner != nil {
			owner = a.owner.name
		}
		l.violatef("%s commits %s/%d at %d, and its newest claim is %s's", name, topic, partition, next, owner)
	}
	a.committed, a.note = next, note
}

// settled says what is not finished or not committed; "": nothing.
func (l *ledger) settled(k keeps) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var open []string
	for p := range l.partitions {
		a := &l.partitions[p]
		all := l.shelf.all(int32(p))
		if a.front < len(all) {
			open = append(open, fmt.Sprintf("%s/%d: %d of %d records are finished, the next one is %d", topic, p, a.front, len(all), all[a.front]))
		} else if k != alone && len(all) > 0 && a.committed <= all[len(all)-1] {
			open = append(open, fmt.Sprintf("%s/%d: committed %d, the last record is %d", topic, p, a.committed, all[len(all)-1]))
		}
	}
	return strings.Join(open, "\n")
}
