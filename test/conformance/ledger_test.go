package conformance

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ottla-go/ottla/consumer"
)

// ledger notes what the handlers of all members do with the records of one topic, and finds what must not be: two
// handlers on one partition at a time, a record that overtakes another, one that is finished twice, one that
// is missing. Every partition holds the offsets from its beginning to the same end.
type ledger struct {
	mu    sync.Mutex
	pages map[int32]*page
	tries []try

	finished, duplicates, failures int
	faults                         []string // what must not be, in words
	repeated                       []try    // the calls that finished what had been finished before
}

// page is what happened on one partition.
type page struct {
	running  []string      // members whose handler is on a record of it now
	next     int64         // everything below it is finished
	end      int64         // one past the last record that will come
	finished map[int64]int // how often, from next on
}

// try is one call of a handler.
type try struct {
	member    string
	partition int32
	offset    int64
	attempt   int
	began     time.Time
	ended     time.Time // zero: it runs
	err       error     // of one that has ended; errUnwound for a panic and a Goexit
	cause     error     // of its context's end, when it returned
}

type unwound struct{}

// Error says how the handler ended.
func (unwound) Error() string { return "it panicked or exited" }

// newLedger expects the offsets 0 to each-1 on every partition.
func newLedger(partitions int32, each int) *ledger {
	l := &ledger{pages: map[int32]*page{}}
	for p := range partitions {
		l.expect(p, 0, int64(each))
	}
	return l
}

// expect says which offsets will come on a partition.
func (l *ledger) expect(partition int32, from, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pages[partition] = &page{next: from, end: end, finished: map[int64]int{}}
}

// ends says where the records of every partition end, once that is known.
func (l *ledger) ends(end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pages {
		p.end = end
	}
}

// keeps wraps a member's handler, so that what it does is noted.
func (l *ledger) keeps(member string, handle consumer.Handler) consumer.Handler {
	return func(ctx context.Context, rec *consumer.Record) (err error) {
		n := l.begin(member, rec)
		err = unwound{}
		defer func() { l.finish(n, err, context.Cause(ctx)) }()
		if handle == nil {
			err = nil
			return err
		}
		err = handle(ctx, rec)
		return err
	}
}

// begin notes that a handler runs.
func (l *ledger) begin(member string, rec *consumer.Record) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pages[rec.Partition]
	if p == nil {
		p = &page{end: -1, finished: map[int64]int{}}
		l.pages[rec.Partition] = p
		l.fault("%s handles %v of a partition that nobody expects", member, rec)
	}
	if len(p.running) > 0 {
		l.fault("%s begins %v while %v are on its partition", member, rec, p.running)
	}
	if rec.Offset > p.next {
		l.fault("%s begins %v before %d has been finished", member, rec, p.next)
	}
	if text, _, _ := strings.Cut(string(rec.Value), " "); text != strconv.FormatInt(rec.Offset, 10) {
		l.fault("%v has the value of another record: %.20q", rec, text)
	}
	p.running = append(p.running, member)
	l.tries = append(l.tries, try{member: member, partition: rec.Partition, offset: rec.Offset, attempt: rec.Attempt, began: time.Now()})
	return len(l.tries) - 1
}

// finish notes what came of it.
func (l *ledger) finish(n int, err, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &l.tries[n]
	t.ended, t.err, t.cause = time.Now(), err, cause
	p := l.pages[t.partition]
	if i := slices.Index(p.running, t.member); i >= 0 {
		p.running = slices.Delete(p.running, i, i+1)
	}
	if err != nil {
		l.failures++
		return
	}
	if t.offset < p.next || p.finished[t.offset] > 0 {
		l.duplicates++
		l.repeated = append(l.repeated, *t)
		return
	}
	l.finished++
	p.finished[t.offset]++
	for p.finished[p.next] > 0 {
		delete(p.finished, p.next)
		p.next++
	}
}

func (l *ledger) fault(format string, args ...any) {
	if len(l.faults) < 20 {
		l.faults = append(l.faults, fmt.Sprintf(format, args...))
	}
}

// done: every record has been finished at least once.
func (l *ledger) done() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pages {
		if p.next < p.end {
			return false
		}
	}
	return true
}

// count is the number of records that have been finished.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.finished
}

// next is the partition's first offset that is not finished.
func (l *ledger) next(partition int32) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pages[partition].next
}

// calls are the handlers' calls that match, in the order in which they began.
func (l *ledger) calls(match func(try) bool) []try {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []try
	for _, t := range l.tries {
		if match(t) {
			out = append(out, t)
		}
	}
	return out
}

// by matches the calls of a member.
func by(member string) func(try) bool { return func(t try) bool { return t.member == member } }

// running are the calls that have not returned.
func (l *ledger) running(member string) []try {
	return l.calls(func(t try) bool { return t.member == member && t.ended.IsZero() })
}

// clean fails the test when something was lost, handled twice, out of order, or by two at a time.
func (l *ledger) clean(t testing.TB) {
	t.Helper()
	l.orderly(t)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.duplicates > 0 {
		t.Errorf("%d records were finished twice", l.duplicates)
	}
	for _, again := range l.repeated[:min(5, len(l.repeated))] {
		for _, c := range l.tries {
			if c.partition == again.partition && c.offset == again.offset {
				t.Errorf("%d@%d#%d by %s from %s to %s: %v", c.partition, c.offset, c.attempt, c.member, c.began.Format(clock), c.ended.Format(clock), c.err)
			}
		}
	}
}

// explained fails the test for every record that was finished twice though its partition had not changed its owner in
// between, and answers how many were finished twice after such a change.
func (l *ledger) explained(t testing.TB, o *owners) (duplicates int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, again := range l.repeated {
		for _, c := range l.tries {
			if c.partition != again.partition || c.offset != again.offset || c.err != nil {
				continue
			}
			if !o.changed(c.partition, c.began, again.began) {
				t.Errorf("%d@%d was finished by %s at %s, and again by %s at %s, with no change of owner in between", c.partition, c.offset,
					c.member, c.ended.Format(clock), again.member, again.ended.Format(clock))
			}
			break // the first one
		}
	}
	return len(l.repeated)
}

// orderly is clean for scenarios in which records are handled again.
func (l *ledger) orderly(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		t.Error(f)
	}
	for id, p := range l.pages {
		if p.next < p.end {
			t.Errorf("partition %d: %d of its records are not finished, from %d on", id, p.end-p.next, p.next)
		}
	}
}
