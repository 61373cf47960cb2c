package main

import (
	"fmt"
	"strings"
	"time"
)

// The offsets of the partition that fails.
const (
	bad    = 1
	behind = 2
)

// row is what was seen of one run.
type row struct {
	run
	err error // the run could not be done

	tries     int           // how often the record that fails was begun
	fate      string        // what has become of it in the end
	lost      bool          // it is committed, and neither handled nor a dead letter
	passed    bool          // the record behind it was handled while it was neither handled nor a dead letter
	written   int64         // dead letters
	disturbed bool          // records were produced into the neighbour
	wait      time.Duration // the longest time that a record of the neighbour waited
	waited    int           // how many records of the neighbour were not begun at all
	again     int           // how many records of the neighbour were begun more than once
	process   string        // how its process ended of itself; empty: it has not
	reports   int           // how often something was reported, once the record was begun
	said      []string      // the first two of them that differ
	takeover  time.Duration // until a second member had a record
	overlap   int           // how often the first one handled what the second one had by then
	stopped   time.Duration // until the first one had ended, when it was asked to
	more      []string
}

func (r row) String() string {
	if r.err != nil {
		return "  NOT RUN: " + r.err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  handled %d×; %s", r.tries, r.fate)
	if r.passed {
		b.WriteString("; the record behind it was handled before it")
	}
	if r.disturbed {
		fmt.Fprintf(&b, "\n  neighbour: waited %v at most", r.wait.Round(10*time.Millisecond))
		if r.waited > 0 {
			fmt.Fprintf(&b, ", %d records not begun", r.waited)
		}
		if r.again > 0 {
			fmt.Fprintf(&b, ", %d records begun again", r.again)
		}
	}
	if r.process != "" {
		fmt.Fprintf(&b, "\n  the process ended: %s", r.process)
	}
	for _, m := range r.more {
		fmt.Fprintf(&b, "\n  %s", m)
	}
	if r.reports == 0 {
		b.WriteString("\n  reported: nothing")
	} else {
		fmt.Fprintf(&b, "\n  reported %d×: %s", r.reports, strings.Join(r.said, " | "))
	}
	return b.String()
}

// count takes from the notes of a process what is counted of every run.
func (r *row) count(notes []seen) (succeeded bool) {
	var handled, passed time.Time
	begins, from := map[int64]int{}, since(notes)
	for _, n := range notes {
		switch {
		case n.What == reported && n.at.Before(from):
		case n.What == reported:
			r.reports++
			r.say(n.Text)
		case n.Partition == neighbour && n.What == begun:
			begins[n.Offset]++
		case n.Partition == failing && n.Offset == bad && n.What == begun:
			r.tries++
		case n.Partition == failing && n.Offset == bad && n.What == done && handled.IsZero():
			handled = n.at
		case n.Partition == failing && n.Offset == behind && n.What == done && passed.IsZero():
			passed = n.at
		}
	}
	for _, times := range begins {
		if times > 1 {
			r.again++
		}
	}
	r.passed = !passed.IsZero() && (handled.IsZero() && r.written == 0 || passed.Before(handled))
	return !handled.IsZero()
}

// since is when the record that fails was begun first; zero: never.
func since(notes []seen) time.Time {
	for _, n := range notes {
		if n.What == begun && n.Partition == failing && n.Offset == bad {
			return n.at
		}
	}
	return time.Time{}
}

// say keeps what is reported first, and what differs from that.
func (r *row) say(text string) {
	text = cut(text)
	if len(r.said) == 0 || len(r.said) == 1 && !alike(r.said[0], text) {
		r.said = append(r.said, text)
	}
}

// alike are lines that begin with the same.
func alike(a, b string) bool {
	n := min(len(a), len(b), 60)
	return a[:n] == b[:n]
}

// judge says what has become of the record, by what is committed.
func (r *row) judge(succeeded bool, committed int64) {
	switch {
	case succeeded:
		r.fate = "succeeded"
	case r.written > 0:
		r.fate = fmt.Sprintf("%d dead letter(s)", r.written)
	case committed > bad:
		r.fate, r.lost = "PASSED OVER: it is committed, and was never handled with success", true
	default:
		r.fate = "still to be handled, not committed"
	}
}
