package main

import (
	"fmt"
	"slices"
	"time"
)

// What is done to workers and brokers.
const (
	killWorker  = "kill -9"
	stopWorker  = "SIGSTOP"
	drainWorker = "SIGTERM"
	cutBoth     = "cut"
	cutRequests = "cut of requests"
	cutAnswers  = "cut of answers"
	joinWorker  = "start"
	killNode    = "kill -9 of a node"
	stopNode    = "SIGSTOP of a node"
	rollNodes   = "rolling restart"
)

// excuses say what a fault makes good.
//
// A record that was done may be done again if its commit was not acknowledged before its claim ended. In peace it is
// acknowledged within lag, and a claim that is revoked, also at a drain, ends after it. So it needs (1) an end that does not
// wait for commits: a kill, or a loss, or a revocation while something was in the way of commits; and (2) for each moment
// between lag after it was done and the end of the claim something that was in the way: a stop or a cut of that
// worker, brokers that take no commits, or a rebalance that waits for somebody.
//
// That something is done to brokers is not enough: most of the time they take commits all the same. It has to be seen
// that nobody's committed offset moves. After that each worker may take as long to find the coordinator again as it
// may be silent.
type excuses struct {
	bounds

	own     map[int][]window // a worker's stops and cuts
	kills   map[int]window
	cluster []window // what was done to brokers
	away    []window // the parts of it in which they took no commits
	unrest  []window // rebalances that may have waited for somebody: all that was done to workers
}

type window struct {
	kind       string
	begin, end time.Time
}

func (w window) overlaps(begin, end time.Time) bool {
	return !w.begin.After(end) && !begin.After(w.end)
}

func newExcuses(h *history, b bounds) *excuses {
	e := &excuses{bounds: b, own: map[int][]window{}, kills: map[int]window{}}
	for _, f := range h.faults {
		w := window{f.kind, f.begin, f.end.Add(b.grace)}
		switch f.kind {
		case killNode, stopNode, rollNodes:
			e.cluster = append(e.cluster, w)
			continue
		case stopWorker, cutBoth, cutRequests, cutAnswers:
			e.own[f.worker] = append(e.own[f.worker], w)
		case killWorker:
			e.kills[f.worker] = w
		}
		// While the group waits for a member's sync, commits are refused; it waits as long as the session of who is gone.
		e.unrest = append(e.unrest, window{f.kind, f.begin, f.end.Add(b.session + b.grace)})
	}
	e.away = away(e.cluster, h.sights, b)
	return e
}

// away are the parts of the windows in which no committed offset was seen to move.
func away(cluster []window, sights []sight, b bounds) (parts []window) {
	var moved time.Time
	last := map[int32]int64{}
	outage := func(until time.Time) {
		for _, w := range cluster {
			if o := (window{w.kind, moved, until}); o.overlaps(w.begin, w.end) {
				parts = append(parts, window{w.kind, later(w.begin, o.begin), until.Add(b.session)})
			}
		}
	}
	for _, s := range sights {
		if was, ok := last[s.partition]; ok && s.next <= was {
			continue
		}
		last[s.partition] = s.next
		if s.at.Sub(moved) > b.margin {
			outage(s.at)
		}
		moved = s.at
	}
	for _, w := range cluster { // and after the last one
		outage(later(w.end, moved))
	}
	return parts
}

// of says what excuses that a record, done by this claim at this time, was done again; "": nothing, and why.
func (e *excuses) of(cl *claim, at time.Time) (cause, why string) {
	switch cl.how {
	case "killed":
		cause = killWorker
	case "lost":
		cause = e.hindrance(cl.worker, e.cluster, cl.end.Add(-e.session-e.grace), cl.end)
	case "revoked":
		cause = e.hindrance(cl.worker, e.away, at, cl.end)
	}
	if cause == "" {
		return "", fmt.Sprintf("the claim was %s at %s, and nothing was in the way of its commits", cl.how, clock(cl.end))
	}
	for from := at.Add(e.lag); from.Before(cl.end); {
		next := from
		for _, w := range slices.Concat(e.own[cl.worker], e.away, e.unrest) {
			if !w.begin.After(from) && w.end.After(next) {
				next = w.end
			}
		}
		if !next.After(from) {
			return "", fmt.Sprintf("the claim was %s at %s, and at %s nothing was in the way of a commit", cl.how, clock(cl.end), clock(from))
		}
		from = next
	}
	return cause, ""
}

// hindrance is what was done to the worker in that time, else what of the brokers' troubles falls into it; "": nothing.
func (e *excuses) hindrance(worker int, brokers []window, begin, end time.Time) (kind string) {
	for _, w := range slices.Concat(e.own[worker], brokers) {
		if w.overlaps(begin, end) {
			return w.kind
		}
	}
	return ""
}

// lost: something explains that a claim was lost.
func (e *excuses) lost(cl *claim) bool {
	return e.during(cl.worker, cl.end.Add(-e.session-e.grace), cl.end)
}

// during: something was done to the worker or to the brokers in that time.
func (e *excuses) during(worker int, begin, end time.Time) bool {
	return e.hindrance(worker, e.cluster, begin, end) != ""
}

// brokers: something was done to brokers in that time.
func (e *excuses) brokers(begin, end time.Time) bool {
	return slices.ContainsFunc(e.cluster, func(w window) bool { return w.overlaps(begin, end) })
}

// sinceContinued is how long after the end of the worker's last stop the time is, negative before it; false: it was not
// stopped before.
func (e *excuses) sinceContinued(worker int, at time.Time) (after time.Duration, stopped bool) {
	for _, w := range e.own[worker] {
		if w.kind == stopWorker && !w.begin.After(at) {
			after, stopped = at.Sub(w.end.Add(-e.grace)), true
		}
	}
	return after, stopped
}
