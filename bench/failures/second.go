package main

import (
	"context"
	"time"
)

// restart starts another one where the first has ended, as Kubernetes would.
func (w *watcher) restart(ctx context.Context) error {
	next, err := start(ctx, w.task)
	if err != nil {
		return err
	}
	defer next.kill()
	select {
	case <-next.ended:
		w.add("the next one ended, too: %s", next.last())
	case <-time.After(sessionTimeout + rebalanceTimeout):
		w.add("the next one goes on")
	}
	return nil
}

// join lets a second member join, sees when it has something to do, and stops the first one.
func (w *watcher) join(ctx context.Context) error {
	if w.failure == hangs { // in both, so that whichever is given to the second member hangs
		offset, err := w.send(ctx, w.Topic, neighbour, w.value())
		if err != nil {
			return err
		}
		if !w.first.await(5*time.Second, func(notes []seen) bool { return has(notes, begun, neighbour, offset) }) {
			w.add("the neighbour does not get on")
		}
	}
	joined := time.Now()
	second, err := start(ctx, w.task)
	if err != nil {
		return err
	}
	defer second.kill()
	if second.await(15*time.Second, func(notes []seen) bool { return !firstBegun(notes).IsZero() }) {
		w.takeover = firstBegun(second.all()).Sub(joined)
		w.add("a partition is taken over %v after the second member began", round(w.takeover))
	} else {
		w.add("no partition is taken over within %v", round(time.Since(joined)))
	}
	if w.failure == backoff {
		w.beside(second)
	}
	if took, ended := w.first.stop(stopTimeout + 4*time.Second); ended {
		w.stopped = took
		w.add("asked to stop, the first one ended after %v: %s", round(took), w.first.last())
	} else {
		w.add("asked to stop, the first one has not ended within %v", stopTimeout+4*time.Second)
	}
	return nil
}

// beside sees whether the first member handles once more what the second one has by now, until its backoff is over.
func (w *watcher) beside(second *process) {
	type at struct {
		partition int32
		offset    int64
	}
	w.first.await(longBackoff, func([]seen) bool { return false })
	taken := map[at]time.Time{}
	for _, n := range second.all() {
		where := at{n.Partition, n.Offset}
		if _, known := taken[where]; !known && n.What == begun {
			taken[where] = n.at
		}
	}
	for _, n := range w.first.all() {
		if since, is := taken[at{n.Partition, n.Offset}]; is && n.What == begun && n.at.After(since) {
			w.overlap++
		}
	}
	w.add("the first member handled %d more time(s) what the second one had by then", w.overlap)
}
