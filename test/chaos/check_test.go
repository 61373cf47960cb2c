package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// tale builds a history second by second.
type tale struct{ history }

var origin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// s is a time of the tale.
func s(seconds float64) time.Time {
	return origin.Add(time.Duration(seconds * float64(time.Second)))
}

func key(p int32, offset int64) string { return fmt.Sprintf("k%d-%d", p, offset) }

// topic has n records in partition 0, all of them committed at the end.
func (t *tale) topic(n int64) {
	t.log, t.ends, t.committed = map[int32][]entry{}, map[int32]int64{0: n}, map[int32]int64{0: n}
	for o := range n {
		t.log[0] = append(t.log[0], entry{o, key(0, o)})
		t.acked = append(t.acked, acked{0, entry{o, key(0, o)}})
	}
}

func (t *tale) says(worker int, w what, at float64) {
	t.lines = append(t.lines, line{read: s(at), at: s(at), worker: worker, what: w})
}

// does finishes the records from to end-1, a tenth of a second each, the first one at the time.
func (t *tale) does(worker int, at float64, from, end int64) {
	for o := from; o < end; o++ {
		t.lines = append(t.lines, line{read: s(at + float64(o-from)/10), worker: worker, what: done, offset: o, key: key(0, o)})
	}
}

func (t *tale) exits(id int, how ending, at float64) {
	w := worker{id: id, end: s(at), how: how}
	if how == drained {
		w.told = s(at - 1)
	}
	t.workers = append(t.workers, w)
}

func (t *tale) suffers(kind string, worker int, begin, end float64) {
	t.faults = append(t.faults, fault{kind: kind, worker: worker, begin: s(begin), end: s(end)})
}

func (t *tale) sees(at float64, next int64) {
	t.sights = append(t.sights, sight{s(at - 0.01), s(at), 0, next})
}

// two is a partition that goes from worker 1 to worker 2 in order.
func two() *tale {
	t := &tale{}
	t.topic(40)
	t.says(1, assigned, 1)
	t.does(1, 1.1, 0, 20)
	t.says(1, revoked, 3.1)
	t.says(2, assigned, 3.2)
	t.does(2, 3.3, 20, 40)
	t.says(2, revoked, 20)
	t.exits(1, drained, 19)
	t.exits(2, drained, 20)
	t.sees(2, 8)
	t.sees(3.15, 20)
	t.sees(6, 40)
	return t
}

// crash is the same, but worker 1 is killed, and two of its records are done again.
func crash() *tale {
	t := &tale{}
	t.topic(40)
	t.says(1, assigned, 1)
	t.does(1, 1.1, 0, 20) // the last one at 3.0
	t.suffers(killWorker, 1, 3.05, 3.05)
	t.exits(1, killed, 3.05)
	t.says(2, assigned, 9)
	t.does(2, 9.1, 18, 40)
	t.says(2, revoked, 20)
	t.exits(2, drained, 20)
	t.sees(2.9, 18)
	return t
}

// stall is the same, but worker 1 is stopped beyond its session; the record that it had in hand is done when it goes on.
func stall() *tale {
	t := &tale{}
	t.topic(40)
	t.says(1, assigned, 1)
	t.does(1, 1.1, 0, 19)
	t.suffers(stopWorker, 1, 3, 15)
	t.says(2, assigned, 9)
	t.does(2, 9.1, 18, 40)
	t.does(1, 15.02, 19, 20)
	t.says(1, lost, 15.1)
	t.says(2, revoked, 20)
	t.exits(1, drained, 21)
	t.exits(2, drained, 20)
	return t
}

var limits = bounds{session: 6 * time.Second, lag: 2 * time.Second, margin: time.Second, grace: 3 * time.Second}

func TestCheckerAcceptsWhatIsPromised(t *testing.T) {
	for name, tt := range map[string]struct {
		tale       *tale
		duplicates int
		cause      string
		still      float64
	}{
		"a revocation": {two(), 0, "", 0.3},
		"a kill":       {crash(), 2, killWorker, 6.1},
		"a stop":       {stall(), 2, stopWorker, 6.2},
		"a kill long after the last commit, the brokers being away": {with(crash(), func(t *tale) {
			t.faults[0].begin, t.faults[0].end, t.workers[0].end = s(8), s(8), s(8)
			t.suffers(killNode, 0, 2.5, 7)
		}), 2, killWorker, 6.1},
		"a kill long after the last commit, the group waiting for another one that was killed": {with(crash(), func(t *tale) {
			t.faults[0].begin, t.faults[0].end, t.workers[0].end = s(8), s(8), s(8)
			t.suffers(killWorker, 7, 1, 1)
		}), 2, killWorker, 6.1},
		"a drain that fails, the brokers being away": {with(two(), func(t *tale) {
			t.suffers(stopNode, 0, 10, 18.5)
			t.workers[0].err = "exit status 1"
		}), 0, "", 0.3},
		"an offset that goes back for a look, as a broker comes back from a stop": {with(two(), func(t *tale) {
			t.suffers(stopNode, 0, 5, 6.9)
			t.sees(7, 30)
			t.sees(7.2, 40)
		}), 0, "", 0.3},
		"a cut": {func() *tale {
			tt := &tale{}
			tt.topic(40)
			tt.says(1, assigned, 1)
			tt.does(1, 1.1, 0, 19)
			tt.suffers(cutAnswers, 1, 2.5, 30)
			tt.says(1, lost, 8)
			tt.says(2, assigned, 9)
			tt.does(2, 9.1, 12, 40)
			tt.says(2, revoked, 31)
			tt.exits(1, drained, 31)
			tt.exits(2, drained, 31)
			return tt
		}(), 7, cutAnswers, 6.2},
		"a coordinator that is away while a partition is revoked": {func() *tale {
			tt := two()
			tt.suffers(killNode, 0, 2, 10)
			tt.lines = append(tt.lines[:23:23], tt.lines[22:]...) // what is done again: the last one of worker 1
			tt.lines[23] = line{read: s(3.25), worker: 2, what: done, offset: 19, key: key(0, 19)}
			tt.sights = tt.sights[:1]
			return tt
		}(), 1, killNode, 0.25},
	} {
		t.Run(name, func(t *testing.T) {
			v := check(&tt.tale.history, limits)
			for _, b := range v.breaches {
				t.Errorf("%s: %s", b.kind, b.text)
			}
			if v.produced != 40 || v.done != 40 || v.duplicates != tt.duplicates || v.causes[tt.cause] != tt.duplicates {
				t.Errorf("got %+v", v)
			}
			if want := s(tt.still).Sub(s(0)); v.still.Round(time.Millisecond) != want {
				t.Errorf("stood still for %v, want %v", v.still, want)
			}
		})
	}
}

// Each fault that is planted is found, and nothing else is.
func TestCheckerFindsPlantedFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		tale *tale
		want string // kind and part of the text
	}{
		"a loss":               {with(two(), func(t *tale) { t.drop(2, 39) }), "lost: offset 39"},
		"a loss in the middle": {with(two(), func(t *tale) { t.drop(1, 7) }), "lost: offset 7|out_of_order: worker 1 has done offset 8 right after 6"},
		"a record that a new owner jumps over, and a third one does": {with(two(), func(t *tale) {
			t.drop(2, 20)
			t.says(3, assigned, 20.1)
			t.does(3, 20.2, 20, 21)
			t.says(3, revoked, 21)
			t.exits(3, drained, 21)
			t.sights = nil
		}), "out_of_order: worker 2 has done offset 21, and one in front of it"},
		"an order fault within a claim": {with(two(), func(t *tale) {
			t.lines[5].offset, t.lines[6].offset = t.lines[6].offset, t.lines[5].offset
			t.lines[5].key, t.lines[6].key = t.lines[6].key, t.lines[5].key
		}), "out_of_order: worker 1 has done offset 5 right after 3|out_of_order: worker 1 has done offset 4 right after 5|out_of_order: worker 1 has done offset 6 right after 4"},
		"a record that is done twice within a claim": {with(two(), func(t *tale) {
			t.lines = append(t.lines[:6:6], t.lines[5:]...)
		}), "out_of_order: worker 1 has done offset 4 right after 4"},
		"a duplicate after a clean revocation": {with(two(), func(t *tale) {
			t.lines[22].read = s(3.4)
			t.lines = append(t.lines[:23:23], t.lines[22:]...)
			t.lines[23] = line{read: s(3.3), worker: 2, what: done, offset: 19, key: key(0, 19)}
			t.sights = nil
		}), "unexplained: worker 1 has done offset 19"},
		"a duplicate after a revocation while brokers are disturbed, and take commits": {with(two(), func(t *tale) {
			t.lines[22].read = s(3.4)
			t.lines = append(t.lines[:23:23], t.lines[22:]...)
			t.lines[23] = line{read: s(3.3), worker: 2, what: done, offset: 19, key: key(0, 19)}
			t.sights = nil
			t.suffers(rollNodes, 0, -20, 20)
			for i := range int64(80) { // of another partition
				t.sights = append(t.sights, sight{s(-20 + float64(i)/2), s(-20 + float64(i)/2), 1, i})
			}
		}), "unexplained: worker 1 has done offset 19"},
		"a duplicate of what was done long before the kill": {with(crash(), func(t *tale) {
			t.workers[0].end, t.faults[0].begin, t.faults[0].end = s(5.05), s(5.05), s(5.05)
			t.sights = nil
		}), "unexplained: worker 1 has done offset 18|unexplained: worker 1 has done offset 19"},
		"a fault of somebody else": {with(stall(), func(t *tale) {
			t.faults[0].worker = 2
		}), "unexplained: worker 1 has lost|unexplained: worker 1 has done offset 18|unexplained: worker 1 has done offset 19|two_owners"},
		"a loss of a partition in peace": {with(two(), func(t *tale) { t.lines[21].what = lost }), "unexplained: worker 1 has lost the partition"},
		"an old owner that goes on": {with(stall(), func(t *tale) {
			for i, l := range t.lines {
				if l.worker == 1 && l.offset == 19 {
					t.lines[i].read = s(16.5)
				}
			}
		}), "two_owners: worker 1 has done offset 19"},
		"an old owner that was not stopped":     {with(stall(), func(t *tale) { t.faults[0].kind = cutBoth }), "two_owners: worker 1 has done offset 19"},
		"a commit that passes what is not done": {with(two(), func(t *tale) { t.sights[0].at, t.sights[0].next = s(1.2), 15 }), "ahead: 15"},
		"a commit that passes the end":          {with(two(), func(t *tale) { t.sights[2].next = 41 }), "ahead: 41"},
		"a committed offset that goes back": {with(two(), func(t *tale) {
			t.sees(7, 10)
		}), "went_back: the committed offset went back from 40 to 10"},
		"a claim that begins in front of what was committed": {with(crash(), func(t *tale) {
			t.sees(3.1, 19)
		}), "redelivered: worker 2 begins with offset 18"},
		"an offset that is not committed at the end": {with(two(), func(t *tale) { t.committed[0] = 39 }), "uncommitted: 39"},
		"a worker that ends by itself": {with(two(), func(t *tale) {
			t.workers[0].how, t.workers[0].err = byItself, "exit status 2"
		}), "odd: worker 1 has ended by itself: exit status 2"},
		"a drain that fails in peace": {with(two(), func(t *tale) { t.workers[0].err = "exit status 1" }), "odd: worker 1 was told to drain"},
		"a claim whose end nobody tells": {with(two(), func(t *tale) {
			t.lines = append(t.lines[:21:21], t.lines[22:]...)
		}), "odd: worker 1 has ended, and was not told"},
		"a claim that begins twice": {with(two(), func(t *tale) {
			t.says(2, assigned, 3.2)
			t.lines[len(t.lines)-1], t.lines[len(t.lines)-2] = t.lines[len(t.lines)-2], t.lines[len(t.lines)-1]
		}), "odd: worker 2 is assigned the partition anew"},
		"a record after the end of a claim": {with(two(), func(t *tale) { t.does(2, 20.5, 39, 40) }), "odd: worker 2 says done, offset 39, and has no claim"},
		"a record that is not in the topic": {with(two(), func(t *tale) { t.lines[3].key = "another" }), "odd: worker 1 has done offset 2 with key another|lost: offset 2"},
		"brokers that lose what they have acknowledged": {with(two(), func(t *tale) {
			t.acked = append(t.acked, acked{0, entry{40, "k"}})
		}), "odd: the brokers have acknowledged key k at offset 40"},
	} {
		t.Run(name, func(t *testing.T) {
			v := check(&tt.tale.history, limits)
			wants := strings.Split(tt.want, "|")
			met := map[string]bool{}
			for _, b := range v.breaches {
				text, known := b.kind+": "+b.text, false
				for _, want := range wants {
					if strings.HasPrefix(text, want) {
						met[want], known = true, true
					}
				}
				if !known {
					t.Errorf("found besides: %s", text)
				}
			}
			for _, want := range wants {
				if !met[want] {
					t.Errorf("not found: %s", want)
				}
			}
		})
	}
}

func with(t *tale, change func(*tale)) *tale {
	change(t)
	return t
}

// drop takes the line of a record away.
func (t *tale) drop(worker int, offset int64) {
	for i, l := range t.lines {
		if l.worker == worker && l.what == done && l.offset == offset {
			t.lines = append(t.lines[:i:i], t.lines[i+1:]...)
			return
		}
	}
}
