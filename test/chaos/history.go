package main

import (
	"fmt"
	"strings"
	"time"
)

// history is all that was seen of a run: what the checker judges.
type history struct {
	log   map[int32][]entry // what is in the topic, by partition, in order
	acked []acked

	lines   []line // of one worker in the order in which it wrote them
	workers []worker
	faults  []fault
	sights  []sight

	committed, ends map[int32]int64 // when all was over
}

// entry is one record of the topic, as another client has read it.
type entry struct {
	offset int64
	key    string
}

// acked is one record that a broker has acknowledged to the producer.
type acked struct {
	partition int32
	entry
}

// what a worker's line says.
type what uint8

const (
	assigned what = iota
	done
	revoked
	lost
)

var whatNames = [...]string{"assigned", "done", "revoked", "lost"}

func (w what) String() string { return whatNames[w] }

// line is one that a worker has written.
type line struct {
	read      time.Time // when it was read
	at        time.Time // when it was written, of a claim's begin and end
	worker    int
	what      what
	partition int32
	offset    int64
	key       string
	attempt   int
}

// parse reads a line of examples/90-soak; false: it is another one.
func parse(text string) (l line, ok bool) {
	word, _, _ := strings.Cut(text, " ")
	var at int64
	var generation int32
	var n, want int
	switch word {
	case "done":
		l.what, want = done, 4
		n, _ = fmt.Sscanf(text, "done partition=%d offset=%d key=%s attempt=%d", &l.partition, &l.offset, &l.key, &l.attempt)
	case "assigned":
		l.what, want = assigned, 3
		n, _ = fmt.Sscanf(text, "assigned partition=%d generation=%d at=%d", &l.partition, &generation, &at)
	case "revoked":
		l.what, want = revoked, 2
		n, _ = fmt.Sscanf(text, "revoked partition=%d at=%d", &l.partition, &at)
	case "lost":
		l.what, want = lost, 2
		n, _ = fmt.Sscanf(text, "lost partition=%d at=%d", &l.partition, &at)
	}
	l.at = time.Unix(0, at)
	return l, want > 0 && n == want
}

// worker is one process of the group: what came of it.
type worker struct {
	id         int // from 1
	begin, end time.Time
	how        ending
	told       time.Time // when it was told to drain; zero: it was not
	err        string    // of its exit, if it drained and that was not clean, or if nobody had told it to end
}

type ending uint8

const (
	drained ending = iota
	killed
	byItself
)

// fault is one that was done to a worker, or to the brokers.
type fault struct {
	kind       string
	worker     int // 0: to the brokers
	begin, end time.Time
	aside      string // what else is to be told
}

func (f fault) String() string {
	who := fmt.Sprintf("worker %d", f.worker)
	if f.worker == 0 {
		who = "the brokers"
	}
	return fmt.Sprintf("%s to %s %s, for %v", f.kind, who, f.aside, f.end.Sub(f.begin).Round(time.Millisecond))
}

// sight is a committed offset as the group's coordinator has told it to somebody else.
type sight struct {
	asked, at time.Time
	partition int32
	next      int64
}
